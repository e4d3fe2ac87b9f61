// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include "shim.h"
import "C"

import "unsafe"

// Grads is the tensors of one backward call: gradients of a loss by x, weight and bias, from its gradient by y.
// At least one of DX, DW, DB is wanted. DW needs X; DX needs the weight, here or in the op; an op with an activation
// needs Y as Execute wrote it. DW and DB of a 16-bit layer may also be float32.
type Grads struct {
	DY, X, Y, W Any
	DX, DW, DB  Any
	OutputSize  any    // as in the call whose gradient this is
	Workspace   []byte // at least BackwardPrepare's bytes; nil: the op keeps its own
	Accumulate  bool   // added to what DX, DW, DB hold

	// DY and Y are this box of the whole output; the gradients are those through it alone. As in Call; DX has the extents
	// that RegionWindow answers.
	Begin, End, XBegin, XShape []int
}

// flatGrads is a Grads as the shim takes it.
type flatGrads struct {
	dy, x, y, w, dx, dw, db raw
	size                    *C.ctconv_value
	workspace               unsafe.Pointer
	bytes                   C.size_t
	accumulate              C.int32_t
	region                  *[C.CTCONV_GO_REGION]int64
	fault                   error // of a tensor or the region
}

func (f flatGrads) numbers() *C.int64_t { return (*C.int64_t)(unsafe.Pointer(f.region)) }

func (g *Grads) flat(memory *arena) flatGrads {
	f := flatGrads{
		dy: rawOf(g.DY), x: rawOf(g.X), y: rawOf(g.Y), w: rawOf(g.W),
		dx: rawOf(g.DX), dw: rawOf(g.DW), db: rawOf(g.DB),
		size: memory.size(g.OutputSize), accumulate: flag(g.Accumulate),
	}
	f.workspace, f.bytes = room(g.Workspace)
	f.region, f.fault = rows(g.DY, g.Begin, g.End, g.XBegin, g.XShape)
	if err := unmade(named{"DY", f.dy}, named{"X", f.x}, named{"Y", f.y}, named{"W", f.w}, named{"DX", f.dx},
		named{"DW", f.dw}, named{"DB", f.db}); err != nil {
		f.fault = err
	}
	return f
}

// Backward computes what is wanted.
func (op *Op) Backward(grads Grads) error {
	memory := &arena{}
	defer memory.free()
	f := grads.flat(memory)
	if f.fault != nil {
		return f.fault
	}
	return op.with(func(c *C.ctconv_op, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_backward(c, f.dy.data, f.dy.numbers(), f.x.data, f.x.numbers(), f.y.data, f.y.numbers(),
			f.w.data, f.w.numbers(), f.dx.data, f.dx.numbers(), f.dw.data, f.dw.numbers(), f.db.data,
			f.db.numbers(), f.size, f.workspace, f.bytes, f.accumulate, f.numbers(), e)
	})
}

// BackwardPrepare builds the plans ahead of time and answers the bytes of workspace that the call needs.
func (op *Op) BackwardPrepare(grads Grads) (int, error) {
	memory := &arena{}
	defer memory.free()
	f := grads.flat(memory)
	if f.fault != nil {
		return 0, f.fault
	}
	var bytes C.size_t
	err := op.with(func(c *C.ctconv_op, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_backward_prepare(c, f.dy.data, f.dy.numbers(), f.x.data, f.x.numbers(), f.y.data,
			f.y.numbers(), f.w.data, f.w.numbers(), f.dx.data, f.dx.numbers(), f.dw.data, f.dw.numbers(),
			f.db.data, f.db.numbers(), f.size, f.workspace, f.bytes, f.accumulate, f.numbers(), &bytes, e)
	})
	return int(bytes), err
}

// BackwardDescribe is what will run, as `key: value` lines, under `dx.` and `dw.`.
func (op *Op) BackwardDescribe(grads Grads) (string, error) {
	memory := &arena{}
	defer memory.free()
	f := grads.flat(memory)
	if f.fault != nil {
		return "", f.fault
	}
	return text(op.with, func(c *C.ctconv_op, buf *C.char, size C.size_t, needed *C.size_t, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_backward_describe(c, f.dy.data, f.dy.numbers(), f.x.data, f.x.numbers(), f.y.data,
			f.y.numbers(), f.w.data, f.w.numbers(), f.dx.data, f.dx.numbers(), f.dw.data, f.dw.numbers(),
			f.db.data, f.db.numbers(), f.size, f.workspace, f.bytes, f.accumulate, f.numbers(), buf, size, needed, e)
	})
}
