// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include "shim.h"
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// StreamOptions is how a stream runs; zero is the default everywhere.
type StreamOptions struct {
	Chunk    int  // the most inputs computed at once; 0: chosen; at most 65,536
	Parallel bool // the op's own threads compute; otherwise the calling thread alone, in bounded time
}

// Stream is a 1-D op over signals that never end: inputs are pushed in any portions, (n, in_channels, length) or in the
// dialect's own order. All that comes out is y of one whole call, to the bit. Its methods may be called from any
// goroutine, one after the other.
type Stream struct {
	mutex  sync.Mutex
	handle *C.ctconv_stream
	op     *C.ctconv_op // lives as long as its streams
	users  *int32
}

var noStream = refusal(StatusMisuseNull, "stream", "a nil *Stream", "one that is open, made by NewStream")

func streamOf(handle *C.ctconv_stream, op *C.ctconv_op, users *int32) *Stream {
	atomic.AddInt32(users, 1)
	s := &Stream{handle: handle, op: op, users: users}
	runtime.SetFinalizer(s, (*Stream).Close)
	return s
}

// NewStream is a stream of n signals. StatusUnsupportedStream for an op of more than one spatial axis.
func (op *Op) NewStream(n int, options StreamOptions) (*Stream, error) {
	c := C.ctconv_stream_options{
		struct_size: C.sizeof_ctconv_stream_options,
		chunk:       C.int64_t(options.Chunk),
		parallel:    flag(options.Parallel),
	}
	var handle *C.ctconv_stream
	var out *Stream
	err := op.with(func(o *C.ctconv_op, e *C.ctconv_error) C.ctconv_status {
		status := C.ctconv_stream_create(o, C.int64_t(n), &c, &handle, e)
		if status == C.CTCONV_OK {
			out = streamOf(handle, o, op.users)
		}
		return status
	})
	return out, err
}

// Close releases the stream now; without it the garbage collector does.
func (s *Stream) Close() error {
	if s == nil {
		return noStream
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.handle != nil {
		C.ctconv_stream_destroy(s.handle)
		release(s.op, s.users)
	}
	s.handle = nil
	runtime.SetFinalizer(s, nil)
	return nil
}

// with runs body on the live C object.
func (s *Stream) with(body func(*C.ctconv_stream, *C.ctconv_error) C.ctconv_status) error {
	if s == nil {
		return noStream
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.handle == nil {
		return refusal(StatusMisuseNull, "stream", "a closed or zero Stream", "one that is open, made by NewStream")
	}
	e := record()
	err := failure(body(s.handle, &e), &e)
	runtime.KeepAlive(s)
	return err
}

func (s *Stream) push(x, y raw) (int, error) {
	if err := unmade(named{"x", x}, named{"y", y}); err != nil {
		return 0, err
	}
	var written C.int64_t
	err := s.with(func(c *C.ctconv_stream, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_push(c, x.data, x.numbers(), y.data, y.numbers(), &written, e)
	})
	return int(written), err
}

func (s *Stream) flush(y raw) (int, error) {
	if err := unmade(named{"y", y}); err != nil {
		return 0, err
	}
	var written C.int64_t
	err := s.with(func(c *C.ctconv_stream, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_flush(c, y.data, y.numbers(), &written, e)
	})
	return int(written), err
}

// Coming is the number of outputs that x makes known; nothing is appended.
func (s *Stream) Coming(x Any) (int, error) { return s.push(rawOf(x), raw{}) }

// Push appends x and writes the outputs that are known by it to the first positions of y; answers how many they are.
// y has n and out_channels and at least so many positions.
func (s *Stream) Push(x, y Any) (int, error) {
	if r := rawOf(y); r.meta == nil && !r.unmade {
		return 0, refusal(StatusMisuseNull, "y", "nil", "a tensor; Coming only asks")
	}
	return s.push(rawOf(x), rawOf(y))
}

// Left is the number of outputs that Flush would write.
func (s *Stream) Left() (int, error) { return s.flush(raw{}) }

// Flush writes what is left of y; the stream is then as new.
func (s *Stream) Flush(y Any) (int, error) {
	if r := rawOf(y); r.meta == nil && !r.unmade {
		return 0, refusal(StatusMisuseNull, "y", "nil", "a tensor; Left only asks")
	}
	return s.flush(rawOf(y))
}

// Reset forgets every input.
func (s *Stream) Reset() error {
	return s.with(func(c *C.ctconv_stream, e *C.ctconv_error) C.ctconv_status { return C.ctconv_stream_reset(c, e) })
}

// Clone is a second stream that goes on from here.
func (s *Stream) Clone() (*Stream, error) {
	var out *Stream
	var handle *C.ctconv_stream
	err := s.with(func(c *C.ctconv_stream, e *C.ctconv_error) C.ctconv_status {
		status := C.ctconv_stream_clone(c, &handle, e)
		if status == C.CTCONV_OK {
			out = streamOf(handle, s.op, s.users)
		}
		return status
	})
	return out, err
}

// Delay is by how many outputs y lags behind inputs times stride; below 0 where outputs come before the first input's.
func (s *Stream) Delay() (int, error) {
	var outputs C.int64_t
	err := s.with(func(c *C.ctconv_stream, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_stream_delay(c, &outputs, e)
	})
	return int(outputs), err
}

// Describe is what the stream holds, as `key: value` lines: inputs and outputs so far, delay, history, chunk, warm_up,
// bytes.
func (s *Stream) Describe() (string, error) {
	return text(s.with, func(c *C.ctconv_stream, buf *C.char, size C.size_t, needed *C.size_t, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_stream_describe(c, buf, size, needed, e)
	})
}
