// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// Args is arguments by the dialect's own names. Values are nil (None), bool, ints, floats, strings, slices and arrays
// (tuples), List, Tuple and *Tensor (copied).
type Args map[string]any

// Desc is what is asked: a dialect with its arguments. Its methods may be called from any goroutine.
type Desc struct {
	mutex  sync.RWMutex
	handle *C.ctconv_desc
	fault  error // of a set that never reached the library
}

var noDesc = refusal(StatusMisuseNull, "desc", "a nil *Desc", "one that is open, made by NewDesc")

// NewDesc is a descriptor of a dialect (Dialects lists them) with these arguments. It judges nothing but the dialect's
// name: Validate and what makes use of the descriptor judge all arguments, in the documented order.
func NewDesc(dialect string, args Args) (*Desc, error) {
	if strings.IndexByte(dialect, 0) >= 0 {
		return nil, refusal(StatusMisuseDialect, "dialect", fmt.Sprintf("%q", dialect), "a text without NUL")
	}
	name := C.CString(dialect)
	defer C.free(unsafe.Pointer(name))
	d, e := &Desc{}, record()
	if status := C.ctconv_desc_create(name, &d.handle, &e); status != C.CTCONV_OK {
		return nil, failure(status, &e)
	}
	runtime.SetFinalizer(d, (*Desc).Close)
	for argument, value := range args {
		d.Set(argument, value)
	}
	return d, nil
}

// Close releases the descriptor now; without it the garbage collector does. Ops made of it live on.
func (d *Desc) Close() error {
	if d == nil {
		return noDesc
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	C.ctconv_desc_destroy(d.handle)
	d.handle = nil
	runtime.SetFinalizer(d, nil)
	return nil
}

// Set sets one argument; setting a name again replaces it. A set that fails is answered by Validate and all others.
func (d *Desc) Set(name string, value any) *Desc {
	if d == nil {
		return nil
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if strings.IndexByte(name, 0) >= 0 {
		if d.fault == nil {
			d.fault = refusal(StatusTypeArgumentName, "name", fmt.Sprintf("%q", name), "a text without NUL")
		}
		return d
	}
	if d.handle == nil {
		return d
	}
	memory := &arena{}
	defer memory.free()
	if t, ok := value.(Any); ok {
		r := rawOf(t)
		if err := unmade(named{name, r}); err != nil {
			if d.fault == nil {
				d.fault = err
			}
			return d
		}
		C.ctconv_go_set_tensor(d.handle, memory.text(name), r.data, r.numbers())
	} else {
		C.ctconv_desc_set(d.handle, memory.text(name), memory.value(value))
	}
	return d
}

// with runs body on the live C object.
func (d *Desc) with(body func(*C.ctconv_desc, *C.ctconv_error) C.ctconv_status) error {
	if d == nil {
		return noDesc
	}
	d.mutex.RLock()
	defer d.mutex.RUnlock()
	if d.fault != nil {
		return d.fault
	}
	if d.handle == nil {
		return refusal(StatusMisuseNull, "desc", "a closed or zero Desc", "one that is open, made by NewDesc")
	}
	e := record()
	err := failure(body(d.handle, &e), &e)
	runtime.KeepAlive(d)
	return err
}

// Validate judges every argument that needs no tensor, in the dialect's documented order; the first fault is returned.
func (d *Desc) Validate() error {
	return d.with(func(c *C.ctconv_desc, e *C.ctconv_error) C.ctconv_status { return C.ctconv_desc_validate(c, e) })
}

// WeightSpec is the shapes of weight and bias to allocate; the bias has none where the arguments say there is none. x is
// needed where they depend on it (paddle.static.nn with output_size, keras), else nil.
func (d *Desc) WeightSpec(x Any) (weight, bias Spec, err error) {
	var w, b C.ctconv_spec
	r := rawOf(x)
	if err := unmade(named{"x", r}); err != nil {
		return Spec{}, Spec{}, err
	}
	err = d.with(func(c *C.ctconv_desc, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_weight_spec(c, r.numbers(), &w, &b, e)
	})
	if err != nil {
		return Spec{}, Spec{}, err
	}
	return specOf(&w), specOf(&b), nil
}

func (d *Desc) fill(bias int, seed uint64, out Any) error {
	r := rawOf(out)
	if err := unmade(named{"out", r}); err != nil {
		return err
	}
	return d.with(func(c *C.ctconv_desc, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_init(c, C.int32_t(bias), C.uint64_t(seed), r.data, r.numbers(), e)
	})
}

// InitWeightInto fills a tensor of the weight's shape by the dialect's initialiser. The same seed gives the same bits on
// every machine.
func (d *Desc) InitWeightInto(seed uint64, out Any) error { return d.fill(0, seed, out) }

// InitBiasInto is the same for the bias.
func (d *Desc) InitBiasInto(seed uint64, out Any) error { return d.fill(1, seed, out) }

// InitWeight is a new weight by the dialect's initialiser.
func InitWeight[T Element](d *Desc, seed uint64) (*Tensor[T], error) {
	spec, _, err := d.WeightSpec(nil)
	if err != nil {
		return nil, err
	}
	out, err := Zeros[T](spec.Shape...)
	if err != nil {
		return nil, err
	}
	return out, d.InitWeightInto(seed, out)
}

// InitBias is a new bias by the dialect's initialiser; nil where the arguments say there is none.
func InitBias[T Element](d *Desc, seed uint64) (*Tensor[T], error) {
	_, spec, err := d.WeightSpec(nil)
	if err != nil || spec.Shape == nil {
		return nil, err
	}
	out, err := Zeros[T](spec.Shape...)
	if err != nil {
		return nil, err
	}
	return out, d.InitBiasInto(seed, out)
}
