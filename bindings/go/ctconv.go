// SPDX-License-Identifier: Apache-2.0

// Package ctconv is transposed convolution in 1, 2 and 3 dimensions, in the words of six frameworks: libctconv for Go.
//
// A Desc says what is asked, by the names of one documented operator; an Op is a Desc with its weight, and any number of
// goroutines may run it at once. A Tensor is a slice with a shape and strides, never copied. Every failure is an *Error.
//
// The library is found by pkg-config when the package is built, and by the loader when the program starts:
//
//	export PKG_CONFIG_PATH=$HOME/ctconv/lib/pkgconfig
//	export CGO_LDFLAGS="-Wl,-rpath,$(pkg-config --variable=libdir ctconv)"
//	go build
package ctconv

// #cgo pkg-config: ctconv
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Version is the running library's release, e.g. "0.2.0".
func Version() string { return C.GoString(C.ctconv_version_string()) }

// BuildInfo is `key: value` lines about the library's build.
func BuildInfo() string { return C.GoString(C.ctconv_build_info()) }

// Engines is the engines of the library, the CPU's in the order "auto" asks them.
func Engines() []string {
	out := make([]string, C.ctconv_engine_count())
	for i := range out {
		out[i] = C.GoString(C.ctconv_engine_name(C.int32_t(i)))
	}
	return out
}

// Dialects is the names that NewDesc takes.
func Dialects() []string {
	out := make([]string, C.ctconv_dialect_count())
	for i := range out {
		out[i] = C.GoString(C.ctconv_dialect_name(C.int32_t(i)))
	}
	return out
}

// Argument is one argument of a dialect.
type Argument struct {
	Name     string // spelt as the dialect spells it
	Default  string // as the documentation prints it; "" where it is required
	Position int    // -1: by name only
	Required bool
}

// Arguments is the arguments of a dialect, in the original's positional order.
func Arguments(dialect string) ([]Argument, error) {
	name := C.CString(dialect)
	defer C.free(unsafe.Pointer(name))
	var out []Argument
	for {
		record := C.ctconv_argument{struct_size: C.sizeof_ctconv_argument, position: -1}
		switch status := C.ctconv_dialect_argument(name, C.int32_t(len(out)), &record); status {
		case C.CTCONV_OK:
			out = append(out, Argument{C.GoString(record.name), C.GoString(record.default_text),
				int(record.position), record.required != 0})
		case C.CTCONV_ERR_MISUSE_OPTION: // past the last
			return out, nil
		default:
			return nil, refusal(Status(status), "dialect", fmt.Sprintf("%q", dialect), "one of ctconv.Dialects()")
		}
	}
}

// Spec is a shape and an element type that the library answers.
type Spec struct {
	Shape []int
	DType DType
}

// specOf is a Spec without shape for a tensor that there is not.
func specOf(c *C.ctconv_spec) Spec {
	if c.ndim == 0 {
		return Spec{}
	}
	out := Spec{make([]int, c.ndim), dtypeNamed(int64(c.dtype_code), int64(c.dtype_bits))}
	for i := range out.Shape {
		out.Shape[i] = int(c.shape[i])
	}
	return out
}

// zeros is a new tensor of the spec; refuses another element type.
func zeros[T Element](spec Spec, argument string) (*Tensor[T], error) {
	if asked := dtypeOf[T](); asked != spec.DType {
		return nil, refusal(StatusMisuseYDtype, argument, "a tensor of "+string(asked), string(spec.DType))
	}
	return Zeros[T](spec.Shape...)
}
