// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Activation is what is done to y after the bias.
type Activation int

// The activations. LeakyRelu takes Options.Alpha as slope, Clip goes from Options.Alpha to Options.Beta.
const (
	ActivationNone      Activation = C.CTCONV_ACTIVATION_NONE
	ActivationRelu      Activation = C.CTCONV_ACTIVATION_RELU
	ActivationLeakyRelu Activation = C.CTCONV_ACTIVATION_LEAKY_RELU
	ActivationTanh      Activation = C.CTCONV_ACTIVATION_TANH
	ActivationSigmoid   Activation = C.CTCONV_ACTIVATION_SIGMOID
	ActivationClip      Activation = C.CTCONV_ACTIVATION_CLIP
)

// Reproducible is which bits are promised.
type Reproducible int

// The promises.
const (
	AnyBits       Reproducible = 0 // whatever is fastest at full precision
	ReferenceBits Reproducible = 1 // the reference's, on every machine, for any number of threads
	StableBits    Reproducible = 2 // the reference's or stable ones, the same on every machine
)

// Options is how an op runs; zero is the default everywhere.
type Options struct {
	Engine         string // "auto", or one of Engines: that engine or a refusal
	Threads        int    // at most 4,096; 0: all cores the process may use
	PlanLimit      int    // plans held; 0: 32
	WorkspaceLimit int    // bytes a plan may need; 0: no limit
	Activation     Activation
	Alpha, Beta    float64 // of the activation
	Reproducible   Reproducible
	ReducedMath    bool // operands may be rounded below their own type
	Measure        bool // a new plan times the engines, and remembers
}

// Weights is what an op keeps a copy of. Without W it comes with every call; without B no bias is added.
type Weights struct{ W, B Any }

// Op is a Desc with its weight, ready to run. Its methods may be called from any number of goroutines at once.
type Op struct {
	mutex  sync.RWMutex // Close waits for running calls
	handle *C.ctconv_op
	users  *int32 // the op and its streams: the last one that closes destroys the C object
}

var noOp = refusal(StatusMisuseNull, "op", "a nil *Op", "one that is open, made by NewOp")

// release gives back one use of the C object.
func release(handle *C.ctconv_op, users *int32) {
	if atomic.AddInt32(users, -1) == 0 {
		C.ctconv_destroy(handle)
	}
}

func clamped(n int) C.int32_t {
	if n > math.MaxInt32 {
		return math.MaxInt32
	}
	if n < math.MinInt32 {
		return math.MinInt32
	}
	return C.int32_t(n)
}

func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// NewOp judges everything that needs no x, and packs the weight. The Desc may be closed afterwards.
func NewOp(desc *Desc, weights Weights, options Options) (*Op, error) {
	if options.WorkspaceLimit < 0 {
		return nil, refusal(StatusMisuseOption, "WorkspaceLimit", fmt.Sprint(options.WorkspaceLimit),
			"0 (no limit) or more bytes")
	}
	if strings.IndexByte(options.Engine, 0) >= 0 {
		return nil, refusal(StatusMisuseEngine, "engine", fmt.Sprintf("%q", options.Engine), "a text without NUL")
	}
	c := C.ctconv_options{
		struct_size:      C.sizeof_ctconv_options,
		threads:          clamped(options.Threads),
		plan_limit:       clamped(options.PlanLimit),
		workspace_limit:  C.size_t(options.WorkspaceLimit),
		activation:       clamped(int(options.Activation)),
		activation_alpha: C.double(options.Alpha),
		activation_beta:  C.double(options.Beta),
		reproducible:     clamped(int(options.Reproducible)),
		math:             flag(options.ReducedMath),
		tuning:           flag(options.Measure),
	}
	if options.Engine != "" {
		c.engine = C.CString(options.Engine)
		defer C.free(unsafe.Pointer(c.engine))
	}
	w, b, op := rawOf(weights.W), rawOf(weights.B), &Op{users: new(int32)}
	if err := unmade(named{"W", w}, named{"B", b}); err != nil {
		return nil, err
	}
	err := desc.with(func(d *C.ctconv_desc, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_create(d, w.data, w.numbers(), b.data, b.numbers(), &c, &op.handle, e)
	})
	if err != nil {
		return nil, err
	}
	*op.users = 1
	runtime.SetFinalizer(op, (*Op).Close)
	return op, nil
}

// Close waits for running calls and releases the op now, or with its last stream; without it the garbage collector does.
func (op *Op) Close() error {
	if op == nil {
		return noOp
	}
	op.mutex.Lock()
	defer op.mutex.Unlock()
	if op.handle != nil {
		release(op.handle, op.users)
	}
	op.handle = nil
	runtime.SetFinalizer(op, nil)
	return nil
}

// with runs body on the live C object.
func (op *Op) with(body func(*C.ctconv_op, *C.ctconv_error) C.ctconv_status) error {
	if op == nil {
		return noOp
	}
	op.mutex.RLock()
	defer op.mutex.RUnlock()
	if op.handle == nil {
		return refusal(StatusMisuseNull, "op", "a closed or zero Op", "one that is open, made by NewOp")
	}
	e := record()
	err := failure(body(op.handle, &e), &e)
	runtime.KeepAlive(op)
	return err
}

// Call is the tensors of one execution. Goroutines may share all of it but Y and Workspace.
type Call struct {
	X, Y       Any
	W, B       Any    // of an op that was made without them
	OutputSize any    // the dialect's own call argument; nil: not given
	Workspace  []byte // at least Prepare's bytes; nil: the op keeps its own

	// The box from Begin to before End of the whole output, an entry for each spatial axis; Y has its shape. nil: all.
	Begin, End []int
	XBegin     []int // X is a window that begins here of a whole x: RegionWindow says which one a region reads
	XShape     []int // the whole x's shape, where a size depends on its extents
}

// flat is a Call as the shim takes it.
type flat struct {
	x, y, w, b raw
	size       *C.ctconv_value
	workspace  unsafe.Pointer
	bytes      C.size_t
	region     *[C.CTCONV_GO_REGION]int64
	fault      error // of a tensor or the region
}

func (f flat) numbers() *C.int64_t { return (*C.int64_t)(unsafe.Pointer(f.region)) }

func (memory *arena) size(v any) *C.ctconv_value {
	if v == nil {
		return nil
	}
	return memory.value(v)
}

func room(workspace []byte) (unsafe.Pointer, C.size_t) {
	if len(workspace) == 0 {
		return nil, 0
	}
	return unsafe.Pointer(&workspace[0]), C.size_t(len(workspace))
}

func (call *Call) flat(memory *arena) flat {
	f := flat{x: rawOf(call.X), y: rawOf(call.Y), w: rawOf(call.W), b: rawOf(call.B)}
	f.size = memory.size(call.OutputSize)
	f.workspace, f.bytes = room(call.Workspace)
	f.region, f.fault = rows(call.X, call.Begin, call.End, call.XBegin, call.XShape)
	if err := unmade(named{"X", f.x}, named{"Y", f.y}, named{"W", f.w}, named{"B", f.b}); err != nil {
		f.fault = err
	}
	return f
}

// Execute computes Y from X. Y lies in the caller's memory, with any strides that do not make it meet itself.
func (op *Op) Execute(call Call) error {
	memory := &arena{}
	defer memory.free()
	f := call.flat(memory)
	if f.fault != nil {
		return f.fault
	}
	return op.with(func(c *C.ctconv_op, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_execute(c, f.x.data, f.x.numbers(), f.y.data, f.y.numbers(), f.w.data, f.w.numbers(),
			f.b.data, f.b.numbers(), f.size, f.workspace, f.bytes, f.numbers(), e)
	})
}

// OutputSpec is the shape and element type of Y. No data is touched, no engine asked.
func (op *Op) OutputSpec(call Call) (Spec, error) {
	memory := &arena{}
	defer memory.free()
	f := call.flat(memory)
	if f.fault != nil {
		return Spec{}, f.fault
	}
	var spec C.ctconv_spec
	err := op.with(func(c *C.ctconv_op, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_output_spec(c, f.x.data, f.x.numbers(), f.y.data, f.y.numbers(), f.w.data,
			f.w.numbers(), f.b.data, f.b.numbers(), f.size, f.workspace, f.bytes, f.numbers(), &spec, e)
	})
	if err != nil {
		return Spec{}, err
	}
	return specOf(&spec), nil
}

// Prepare builds the plan ahead of time and answers the bytes of workspace that its executions need. Without Y it is the
// plan of a dense one.
func (op *Op) Prepare(call Call) (int, error) {
	memory := &arena{}
	defer memory.free()
	f := call.flat(memory)
	if f.fault != nil {
		return 0, f.fault
	}
	var bytes C.size_t
	err := op.with(func(c *C.ctconv_op, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_prepare(c, f.x.data, f.x.numbers(), f.y.data, f.y.numbers(), f.w.data, f.w.numbers(),
			f.b.data, f.b.numbers(), f.size, f.workspace, f.bytes, f.numbers(), &bytes, e)
	})
	return int(bytes), err
}

// Describe is what will run, as `key: value` lines: engine, form, why, bits, ...; of a Call without X: the op as a
// whole.
func (op *Op) Describe(call Call) (string, error) {
	memory := &arena{}
	defer memory.free()
	f := call.flat(memory)
	if f.fault != nil {
		return "", f.fault
	}
	return text(op.with, func(c *C.ctconv_op, buf *C.char, size C.size_t, needed *C.size_t, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_describe(c, f.x.data, f.x.numbers(), f.y.data, f.y.numbers(), f.w.data, f.w.numbers(),
			f.b.data, f.b.numbers(), f.size, f.workspace, f.bytes, f.numbers(), buf, size, needed, e)
	})
}

// text is what write writes of an object that `with` keeps alive, asked for its size first.
func text[H any](
	with func(func(*H, *C.ctconv_error) C.ctconv_status) error,
	write func(*H, *C.char, C.size_t, *C.size_t, *C.ctconv_error) C.ctconv_status,
) (string, error) {
	var needed C.size_t
	err := with(func(c *H, e *C.ctconv_error) C.ctconv_status { return write(c, nil, 0, &needed, e) })
	for err == nil {
		buf := make([]byte, int(needed)+1)
		err = with(func(c *H, e *C.ctconv_error) C.ctconv_status {
			return write(c, (*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)), &needed, e)
		})
		if err == nil && int(needed) <= len(buf) { // else another goroutine's call made it longer meanwhile
			return strings.TrimRight(string(buf[:needed]), "\x00"), nil
		}
	}
	return "", err
}

// Run computes y from x into a new tensor.
func Run[T Element](op *Op, x *Tensor[T]) (*Tensor[T], error) { return RunCall[T](op, Call{X: x}) }

// RunCall computes y into a new tensor; call.Y is not looked at.
func RunCall[T Element](op *Op, call Call) (*Tensor[T], error) {
	call.Y = nil
	spec, err := op.OutputSpec(call)
	if err != nil {
		return nil, err
	}
	y, err := zeros[T](spec, "y")
	if err != nil {
		return nil, err
	}
	call.Y = y
	return y, op.Execute(call)
}
