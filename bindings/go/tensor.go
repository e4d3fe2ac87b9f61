// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"unsafe"
)

const maxNDim = C.CTCONV_MAX_NDIM

// Any is a *Tensor of any element type. A nil *Tensor counts as none.
type Any interface {
	Shape() []int
	DType() DType
	raw() raw
}

// raw is a tensor as the shim takes it: data and numbers.
type raw struct {
	data   unsafe.Pointer
	meta   *[C.CTCONV_GO_META]int64
	unmade bool // a Tensor that no function made: it has no memory
}

// named is a tensor under the name that a refusal calls it by.
type named struct {
	name string
	raw  raw
}

// unmade is nil, or a refusal of the first zero Tensor.
func unmade(tensors ...named) error {
	for _, t := range tensors {
		if t.raw.unmade {
			return refusal(StatusMisuseTensor, t.name, "a zero Tensor", "one made by New, Zeros or Strided")
		}
	}
	return nil
}

func (r raw) numbers() *C.int64_t { return (*C.int64_t)(unsafe.Pointer(r.meta)) }

func rawOf(t Any) raw {
	if t == nil {
		return raw{}
	}
	return t.raw()
}

// Tensor is a slice seen with a shape and strides. It shares the slice's memory.
type Tensor[T Element] struct {
	data    []T // from the first element's slice; for a dense tensor just its elements
	first   int
	shape   []int
	strides []int
}

// countOf refuses more axes than the library takes, negative extents and a product beyond 63 bits.
func countOf(shape []int) (int, error) {
	if len(shape) > maxNDim {
		return 0, refusal(StatusMisuseTensor, "shape", fmt.Sprintf("%d axes", len(shape)), "0 to 8 axes")
	}
	count, empty := 1, false
	for _, n := range shape {
		if n < 0 {
			return 0, refusal(StatusMisuseTensor, "shape", fmt.Sprint(shape), "no extent below 0")
		}
		if n == 0 {
			empty = true
		} else if count > math.MaxInt/n {
			return 0, refusal(StatusMisuseTensor, "shape", fmt.Sprint(shape), "at most 2^63 - 1 elements")
		} else {
			count *= n
		}
	}
	if empty {
		count = 0
	}
	return count, nil
}

// New is a dense row-major tensor; data has just the elements of the shape and is shared, not copied.
func New[T Element](data []T, shape ...int) (*Tensor[T], error) {
	count, err := countOf(shape)
	if err != nil {
		return nil, err
	}
	if len(data) != count {
		return nil, refusal(StatusMisuseTensor, "data", fmt.Sprintf("a slice of %d elements", len(data)),
			fmt.Sprintf("%d elements, as shape %v has", count, shape))
	}
	t := &Tensor[T]{data: data, shape: append([]int{}, shape...), strides: make([]int, len(shape))}
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		t.strides[i] = step
		if shape[i] > 0 {
			step *= shape[i]
		}
	}
	return t, nil
}

// Zeros is a new dense tensor. More than the machine has is refused: Go's runtime would end the program.
func Zeros[T Element](shape ...int) (*Tensor[T], error) {
	count, err := countOf(shape)
	if err != nil {
		return nil, err
	}
	var zero T
	if legal := beyondMemory(count, int(unsafe.Sizeof(zero))); legal != "" {
		return nil, refusal(StatusNoMemory, "shape", fmt.Sprint(shape), legal)
	}
	return New(make([]T, count), shape...)
}

// Strided is any part of a slice: first is the place of element (0, 0, ...), strides count elements and may have any
// sign. Every element of it lies inside the slice.
func Strided[T Element](data []T, first int, shape, strides []int) (*Tensor[T], error) {
	count, err := countOf(shape)
	if err != nil {
		return nil, err
	}
	if len(strides) != len(shape) {
		return nil, refusal(StatusMisuseTensor, "strides", fmt.Sprintf("%d of them", len(strides)),
			fmt.Sprintf("one for each of the %d axes", len(shape)))
	}
	inside := count == 0 || first >= 0 && first < len(data)
	below, above := uint64(first), uint64(len(data)-1-first)
	for i := 0; i < len(shape) && inside && count > 0; i++ {
		steps, stride := uint64(shape[i]-1), uint64(strides[i])
		room := &above
		if strides[i] < 0 {
			room, stride = &below, -stride
		}
		inside = stride == 0 || steps <= *room/stride
		*room -= steps * stride
	}
	if !inside {
		return nil, refusal(StatusMisuseTensor, "strides",
			fmt.Sprintf("a view from element %d, shape %v, strides %v", first, shape, strides),
			fmt.Sprintf("a view inside the slice of %d elements", len(data)))
	}
	return &Tensor[T]{data, first, append([]int{}, shape...), append([]int{}, strides...)}, nil
}

// Shape is a copy of its extents; nil for a nil *Tensor.
func (t *Tensor[T]) Shape() []int {
	if t == nil {
		return nil
	}
	return append([]int{}, t.shape...)
}

// DType is its element type.
func (t *Tensor[T]) DType() DType { return dtypeOf[T]() }

// Data is the slice that the tensor was made of. A dense tensor's elements stand in it row by row.
func (t *Tensor[T]) Data() []T {
	if t == nil {
		return nil
	}
	return t.data
}

func (t *Tensor[T]) raw() raw {
	if t == nil {
		return raw{}
	}
	if t.shape == nil {
		return raw{unmade: true}
	}
	var meta [C.CTCONV_GO_META]int64
	pair := dtypes[t.DType()]
	meta[0], meta[1], meta[2] = int64(len(t.shape)), pair[0], pair[1]
	empty := false
	for i := range t.shape {
		meta[3+i], meta[3+maxNDim+i] = int64(t.shape[i]), int64(t.strides[i])
		empty = empty || t.shape[i] == 0
	}
	out := raw{meta: &meta}
	if !empty {
		out.data = unsafe.Pointer(&t.data[t.first])
	}
	return out
}
