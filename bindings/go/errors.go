// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include "shim.h"
import "C"

import "fmt"

// Status is a number of the library, e.g. StatusValueStride. Published numbers never move; a later library may answer
// ones that are not named here. It is a target for errors.Is.
type Status int32

// Error is its identifier, e.g. "CTCONV_ERR_VALUE_STRIDE".
func (s Status) Error() string { return C.GoString(C.ctconv_status_name(C.ctconv_status(s))) }

// Text is one line about it, without detail.
func (s Status) Text() string { return C.GoString(C.ctconv_status_text(C.ctconv_status(s))) }

// Kind is its sort.
func (s Status) Kind() Kind { return Kind(s / 1000) }

// Kind is the sort of a failure. It is a target for errors.Is.
type Kind int32

// The sorts of failures.
const (
	KindType        Kind = 1 // the framework's TypeError: an argument of a wrong type, unknown or missing
	KindValue       Kind = 2 // the framework's ValueError: an argument out of its range
	KindShape       Kind = 3 // a tensor of a wrong shape
	KindUnsupported Kind = 4 // nothing here computes this
	KindMemory      Kind = 5 // memory, or a workspace too small
	KindDevice      Kind = 6 // a device or the module for it
	KindMisuse      Kind = 7 // a call that no arguments make right: a malformed tensor, an unknown dialect
	KindInternal    Kind = 9 // a fault inside the library; please report it
)

var kindNames = map[Kind]string{
	KindType: "type", KindValue: "value", KindShape: "shape", KindUnsupported: "unsupported", KindMemory: "memory",
	KindDevice: "device", KindMisuse: "misuse", KindInternal: "internal",
}

// Error is the kind's name.
func (k Kind) Error() string { return "ctconv: " + kindNames[k] + " error" }

// Error is what a call refused, and why. errors.As finds it; errors.Is compares it with a Status or a Kind.
type Error struct {
	Status   Status
	Element  int    // index inside a sequence argument; -1: the whole argument
	Argument string // spelt as the dialect spells it; "" where none is to blame
	Value    string // what was given
	Range    string // what is legal
	Message  string // one sentence naming all of these
}

// Kind is the sort of the failure.
func (e *Error) Kind() Kind { return e.Status.Kind() }

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Status.Error() + ": " + e.Status.Text()
	}
	return e.Status.Error() + ": " + e.Message
}

// Is tells whether the target is this failure's Status or its Kind.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Status:
		return t == e.Status
	case Kind:
		return t == e.Kind()
	}
	return false
}

// refusal is one of this package's own, with the status that the library would give.
func refusal(status Status, argument, value, legal string) *Error {
	message := fmt.Sprintf("%s: got %s; legal is %s", argument, value, legal)
	return &Error{Status: status, Element: -1, Argument: argument, Value: value, Range: legal, Message: message}
}

// record is an error record as CTCONV_ERROR_INIT has it. It holds no pointer.
func record() C.ctconv_error {
	return C.ctconv_error{struct_size: C.sizeof_ctconv_error, element: -1}
}

// failure is nil for StatusOk, else what the record says.
func failure(status C.ctconv_status, e *C.ctconv_error) error {
	if status == C.CTCONV_OK {
		return nil
	}
	return &Error{
		Status:   Status(status),
		Element:  int(e.element),
		Argument: C.GoString(&e.argument[0]),
		Value:    C.GoString(&e.value[0]),
		Range:    C.GoString(&e._range[0]),
		Message:  C.GoString(&e.message[0]),
	}
}
