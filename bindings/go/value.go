// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// Tuple is a tuple of any values; slices and arrays of numbers are tuples too.
type Tuple []any

// List is a list: some frameworks refuse one where they take a tuple.
type List []any

// A C value nests at most 8 deep; what is deeper is cut here and refused there.
const deepest = 10

// arena is C memory for one call: C's records may not be Go memory that holds pointers.
type arena struct{ blocks []unsafe.Pointer }

func (a *arena) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
}

func (a *arena) text(s string) *C.char {
	out := C.CString(s)
	a.blocks = append(a.blocks, unsafe.Pointer(out))
	return out
}

func (a *arena) values(n int) []C.ctconv_value {
	block := C.malloc(C.size_t(n+1) * C.sizeof_ctconv_value)
	a.blocks = append(a.blocks, block)
	out := unsafe.Slice((*C.ctconv_value)(block), n+1)
	for i := range out {
		out[i] = C.ctconv_value{}
	}
	return out[:n]
}

// value is v as one C record; nil for a nil pointer to it is None's record too.
func (a *arena) value(v any) *C.ctconv_value {
	out := a.values(1)
	a.fill(&out[0], v, 0)
	return &out[0]
}

func (a *arena) fill(out *C.ctconv_value, v any, depth int) {
	switch x := v.(type) {
	case nil:
		return
	case bool:
		out.tag = C.CTCONV_VALUE_BOOL
		if x {
			out.i = 1
		}
		return
	case string:
		out.tag, out.i, out.text = C.CTCONV_VALUE_STRING, C.int64_t(len(x)), a.text(x)
		return
	}
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		out.tag, out.i = C.CTCONV_VALUE_INT, C.int64_t(value.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out.tag, out.i = C.CTCONV_VALUE_INT, C.int64_t(math.MaxInt64) // saturated
		if value.Uint() < math.MaxInt64 {
			out.i = C.int64_t(value.Uint())
		}
	case reflect.Float32, reflect.Float64:
		out.tag, out.f = C.CTCONV_VALUE_FLOAT, C.double(value.Float())
	case reflect.Slice, reflect.Array:
		out.tag = C.CTCONV_VALUE_TUPLE
		if _, list := v.(List); list {
			out.tag = C.CTCONV_VALUE_LIST
		}
		items := a.values(value.Len())
		out.i, out.items = C.int64_t(len(items)), (*C.ctconv_value)(a.blocks[len(a.blocks)-1])
		for i := 0; i < len(items) && depth < deepest; i++ {
			a.fill(&items[i], value.Index(i).Interface(), depth+1)
		}
	default:
		name := fmt.Sprintf("%T", v)
		out.tag, out.i, out.text = C.CTCONV_VALUE_OTHER, C.int64_t(len(name)), a.text(name)
	}
}
