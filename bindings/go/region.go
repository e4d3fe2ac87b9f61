// SPDX-License-Identifier: Apache-2.0

package ctconv

// #include "shim.h"
import "C"

import "fmt"

// rows is a region as the shim takes it, nil for none. Refuses another number of entries than x, or dy, has spatial
// axes: its rank less batch and channel, or channel alone. Behind the entries stand zeros.
func rows(x Any, begin, end, xBegin, xShape []int) (*[C.CTCONV_GO_REGION]int64, error) {
	if begin == nil && end == nil && xBegin == nil && xShape == nil {
		return nil, nil
	}
	var out [C.CTCONV_GO_REGION]int64
	rank := 0
	if x != nil {
		rank = len(x.Shape())
	}
	axes := len(begin)
	fits := axes > 0 && (axes+2 == rank || axes+1 == rank)
	spatial := func(n int) bool { return fits && n == axes }
	for i, row := range []struct {
		name   string
		given  []int
		fits   bool
		wanted int64
	}{
		{"Begin", begin, spatial(len(begin)), 1}, {"End", end, spatial(len(end)), 1},
		{"XBegin", xBegin, spatial(len(xBegin)), 2}, {"XShape", xShape, len(xShape) == rank, 4},
	} {
		if row.given == nil {
			continue
		}
		if !row.fits || len(row.given) > maxNDim {
			legal := fmt.Sprintf("an entry for each spatial axis%s; the tensor has %d axes", counts(rank), rank)
			if row.name == "XShape" {
				legal = fmt.Sprintf("an entry for each axis of x; the tensor has %d axes", rank)
			} else if fits {
				legal = fmt.Sprintf("%d entries, as Begin has", axes)
			}
			return nil, refusal(StatusMisuseRegion, row.name, fmt.Sprint(row.given), legal)
		}
		for k, n := range row.given {
			out[1+i*maxNDim+k] = int64(n)
		}
		out[0] |= row.wanted
	}
	return &out, nil
}

// counts is how many spatial axes a tensor of that many axes may have.
func counts(rank int) string {
	switch rank {
	case 2:
		return ": 1, without a batch axis"
	case 3, 4:
		return fmt.Sprintf(": %d, or %d without a batch axis", rank-2, rank-1)
	case 5:
		return ": 3"
	}
	return ""
}

// RegionWindow is the window of x that the call's region reads: where it begins and ends on each spatial axis. X tells
// the whole x's shape and is not read.
func (op *Op) RegionWindow(call Call) (begin, end []int, err error) {
	memory := &arena{}
	defer memory.free()
	f := call.flat(memory)
	if f.fault != nil {
		return nil, nil, f.fault
	}
	var from, to [maxNDim]C.int64_t
	err = op.with(func(c *C.ctconv_op, e *C.ctconv_error) C.ctconv_status {
		return C.ctconv_go_region_window(c, f.x.data, f.x.numbers(), f.y.data, f.y.numbers(), f.w.data,
			f.w.numbers(), f.b.data, f.b.numbers(), f.size, f.workspace, f.bytes, f.numbers(), &from[0], &to[0], e)
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range call.Begin {
		begin, end = append(begin, int(from[i])), append(end, int(to[i]))
	}
	return begin, end, nil
}
