// SPDX-License-Identifier: Apache-2.0

package ctconv

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A 1-D layer whose stride, padding and dilation all matter.
const (
	tn, tci, tco, tlen, tk, ts, tp, td = 2, 3, 2, 7, 3, 2, 1, 2
	tout                               = (tlen-1)*ts + td*(tk-1) + 1 - 2*tp
)

// Small integers: every sum below is exact in every element type.
func numbers(seed, count int) []float32 {
	out := make([]float32, count)
	for i := range out {
		out[i] = float32((i*7+seed*3)%5) - 2
	}
	return out
}

func layer(more Args) Args {
	args := Args{"in_channels": tci, "out_channels": tco, "kernel_size": tk, "stride": []int{ts}, "padding": tp,
		"dilation": td}
	for name, value := range more {
		args[name] = value
	}
	return args
}

// products calls each for every product of the layer.
func products(each func(n, ci, co, i, t, o int)) {
	for n := 0; n < tn; n++ {
		for ci := 0; ci < tci; ci++ {
			for co := 0; co < tco; co++ {
				for i := 0; i < tlen; i++ {
					for t := 0; t < tk; t++ {
						if o := i*ts + t*td - tp; o >= 0 && o < tout {
							each(n, ci, co, i, t, o)
						}
					}
				}
			}
		}
	}
}

// expected is y by the definition.
func expected() []float32 {
	x, w, b, y := numbers(1, tn*tci*tlen), numbers(2, tci*tco*tk), numbers(3, tco), make([]float32, tn*tco*tout)
	for i := range y {
		y[i] = b[i/tout%tco]
	}
	products(func(n, ci, co, i, t, o int) {
		y[(n*tco+co)*tout+o] += x[(n*tci+ci)*tlen+i] * w[(ci*tco+co)*tk+t]
	})
	return y
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func open(t *testing.T, args Args, weights Weights, options Options) *Op {
	t.Helper()
	desc := must(NewDesc("torch.nn.ConvTranspose1d", args))
	defer desc.Close()
	op, err := NewOp(desc, weights, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { op.Close() })
	return op
}

func cast[T Element](from func(float32) T, data []float32, shape ...int) *Tensor[T] {
	out := make([]T, len(data))
	for i, v := range data {
		out[i] = from(v)
	}
	return must(New(out, shape...))
}

func same(v float32) float32 { return v }

func weights[T Element](from func(float32) T) Weights {
	return Weights{cast(from, numbers(2, tci*tco*tk), tci, tco, tk), cast(from, numbers(3, tco), tco)}
}

func inType[T Element](t *testing.T, from func(float32) T, to func(T) float32) {
	op := open(t, layer(nil), weights(from), Options{})
	y := must(Run(op, cast(from, numbers(1, tn*tci*tlen), tn, tci, tlen)))
	if !reflect.DeepEqual(y.Shape(), []int{tn, tco, tout}) {
		t.Fatal(y.Shape())
	}
	for i, want := range expected() {
		if to(y.Data()[i]) != want {
			t.Fatalf("%s: element %d is %v, want %v", y.DType(), i, y.Data()[i], want)
		}
	}
}

func TestEveryElementType(t *testing.T) {
	inType(t, same, same)
	inType(t, func(v float32) float64 { return float64(v) }, func(v float64) float32 { return float32(v) })
	inType(t, ToFloat16, Float16.Float32)
	inType(t, ToBfloat16, Bfloat16.Float32)
}

func TestStridedViewsOfLargerTensors(t *testing.T) {
	// x: channels-last and backwards in memory; y: the two last of four channels, every second element of a row.
	memory := make([]float32, 3+tn*tlen*tci)
	for i, v := range numbers(1, tn*tci*tlen) {
		n, c, l := i/tlen/tci, i/tlen%tci, i%tlen
		memory[3+(n*tlen+tlen-1-l)*tci+c] = v
	}
	x := must(Strided(memory, 3+(tlen-1)*tci, []int{tn, tci, tlen}, []int{tlen * tci, 1, -tci}))
	room := make([]float32, tn*4*tout*2)
	y := must(Strided(room, 2*tout*2, []int{tn, tco, tout}, []int{4 * tout * 2, tout * 2, 2}))
	op := open(t, layer(nil), weights(same), Options{})
	if err := op.Execute(Call{X: x, Y: y}); err != nil {
		t.Fatal(err)
	}
	want := expected()
	for i, v := range room {
		n, c, o := i/(8*tout), i/(2*tout)%4, i%(2*tout)
		wanted := float32(0)
		if c >= 2 && o%2 == 0 {
			wanted = want[(n*tco+c-2)*tout+o/2]
		}
		if v != wanted {
			t.Fatalf("image %d, channel %d, place %d: %v, want %v", n, c, o, v, wanted)
		}
	}
}

func TestWeightWithTheCallAndAWorkspace(t *testing.T) {
	op, w := open(t, layer(nil), Weights{}, Options{}), weights(same)
	call := Call{X: cast(same, numbers(1, tn*tci*tlen), tn, tci, tlen), W: w.W, B: w.B}
	call.Workspace = make([]byte, must(op.Prepare(call)))
	if y := must(RunCall[float32](op, call)); !reflect.DeepEqual(y.Data(), expected()) {
		t.Fatal(y.Data())
	}
	if text := must(op.Describe(call)); !strings.HasPrefix(text, "engine: ") {
		t.Fatal(text)
	}
	if text := must(op.Describe(Call{})); !strings.Contains(text, "torch.nn.ConvTranspose1d") {
		t.Fatal(text)
	}
	if _, err := op.OutputSpec(Call{X: call.X, W: w.W, OutputSize: []int{tout + 2}}); !errors.Is(err,
		StatusValueOutputSizeRange) {
		t.Fatal(err)
	}
	if spec := must(op.OutputSpec(Call{X: call.X, W: w.W, OutputSize: []int{tout + 1}})); spec.Shape[2] != tout+1 {
		t.Fatal(spec)
	}
}

func TestGradients(t *testing.T) {
	x, w, dy := numbers(1, tn*tci*tlen), numbers(2, tci*tco*tk), numbers(4, tn*tco*tout)
	wantX, wantW, wantB := make([]float32, len(x)), make([]float32, len(w)), make([]float32, tco)
	products(func(n, ci, co, i, k, o int) {
		g := dy[(n*tco+co)*tout+o]
		wantX[(n*tci+ci)*tlen+i] += g * w[(ci*tco+co)*tk+k]
		wantW[(ci*tco+co)*tk+k] += g * x[(n*tci+ci)*tlen+i]
	})
	for i, g := range dy {
		wantB[i/tout%tco] += g
	}
	for i := range wantB {
		wantB[i] += 100
	}
	op := open(t, layer(nil), weights(same), Options{})
	grads := Grads{DY: cast(same, dy, tn, tco, tout), X: cast(same, x, tn, tci, tlen)}
	dx, dw := must(Zeros[float32](tn, tci, tlen)), must(Zeros[float32](tci, tco, tk))
	grads.DX, grads.DW = dx, dw
	grads.Workspace = make([]byte, must(op.BackwardPrepare(grads)))
	if text := must(op.BackwardDescribe(grads)); !strings.Contains(text, "dx.engine: ") {
		t.Fatal(text)
	}
	if err := op.Backward(grads); err != nil {
		t.Fatal(err)
	}
	db := must(New([]float32{100, 100}, tco))
	if err := op.Backward(Grads{DY: grads.DY, X: grads.X, DB: db, Accumulate: true}); err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2][]float32{"dx": {dx.Data(), wantX}, "dw": {dw.Data(), wantW},
		"db": {db.Data(), wantB}} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestGoroutinesShareAnOp(t *testing.T) {
	op := open(t, layer(nil), weights(same), Options{})
	x, want := cast(same, numbers(1, tn*tci*tlen), tn, tci, tlen), expected()
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 20; j++ {
				if y, err := Run(op, x); err != nil || !reflect.DeepEqual(y.Data(), want) {
					t.Error(y, err)
				}
			}
		}()
	}
	group.Wait()
}

// Close while calls run, the collector while objects are dropped: no crash, and a closed object says so.
func TestCloseAndTheCollector(t *testing.T) {
	x := cast(same, numbers(1, tn*tci*tlen), tn, tci, tlen)
	desc := must(NewDesc("torch.nn.ConvTranspose1d", layer(nil)))
	op := must(NewOp(desc, weights(same), Options{}))
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				if _, err := Run(op, x); err != nil {
					if !errors.Is(err, StatusMisuseNull) || !strings.Contains(err.Error(), "closed") {
						t.Error(err)
					}
					return
				}
			}
		}()
	}
	runtime.Gosched()
	op.Close()
	op.Close()
	group.Wait()
	desc.Close()
	if err := desc.Set("stride", 1).Validate(); !errors.Is(err, StatusMisuseNull) {
		t.Error(err)
	}
	for i := 0; i < 50; i++ {
		dropped := must(NewOp(must(NewDesc("torch.nn.ConvTranspose1d", layer(nil))), weights(same), Options{}))
		must(Run(dropped, x))
		if i%10 == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
}

func TestWeightsByTheDialect(t *testing.T) {
	desc := must(NewDesc("torch.nn.ConvTranspose1d", layer(nil)))
	one, again := must(InitWeight[float32](desc, 1)), must(InitWeight[float32](desc, 1))
	other := must(InitWeight[float32](desc, 2))
	if !reflect.DeepEqual(one.Data(), again.Data()) || reflect.DeepEqual(one.Data(), other.Data()) {
		t.Error("one seed, one weight")
	}
	if fmt.Sprint(one.Shape(), must(InitBias[float32](desc, 1)).Shape()) != "[3 2 3] [2]" {
		t.Error(one.Shape())
	}
	if bias, err := InitBias[float32](desc.Set("bias", false), 1); bias != nil || err != nil {
		t.Error(bias, err)
	}
	// No bias as InitBias answers it is none for NewOp.
	if _, err := NewOp(desc, Weights{one, (*Tensor[float32])(nil)}, Options{}); err != nil {
		t.Error(err)
	}
}

// The whole of a 2-D call, box by box, each from the window of x that it reads.
func TestRegions(t *testing.T) {
	desc := must(NewDesc("torch.nn.ConvTranspose2d", Args{"in_channels": 2, "out_channels": 3, "kernel_size": 3,
		"stride": 2}))
	op := must(NewOp(desc, Weights{W: must(InitWeight[float32](desc, 1))}, Options{Reproducible: ReferenceBits}))
	data := numbers(5, 2*6*8)
	x := must(New(data, 1, 2, 6, 8))
	whole := must(Run(op, x)).Data()
	for _, at := range [][2]int{{0, 0}, {0, 9}, {6, 0}, {6, 9}} {
		begin, end := at[:], []int{6 + at[0], 8 + at[1]}
		from, to, err := op.RegionWindow(Call{X: x, Begin: begin, End: end})
		if err != nil || len(from) != 2 {
			t.Fatal(from, to, err)
		}
		window := must(Strided(data, from[0]*8+from[1], []int{1, 2, to[0] - from[0], to[1] - from[1]},
			[]int{96, 48, 8, 1}))
		part := must(RunCall[float32](op, Call{X: window, Begin: begin, End: end, XBegin: from}))
		for i, v := range part.Data() {
			c, r, k := i/48, i/8%6, i%8
			if want := whole[(c*13+at[0]+r)*17+at[1]+k]; v != want {
				t.Fatalf("box %v, element %d: %v, want %v", at, i, v, want)
			}
		}
	}
	// Gradients through one box are those of a dy that is zero elsewhere.
	dy, part := make([]float32, 3*13*17), numbers(6, 3*4*5)
	for i, v := range part {
		dy[(i/20*13+2+i/5%4)*17+3+i%5] = v
	}
	boxed, all := must(Zeros[float32](2, 3, 3, 3)), must(Zeros[float32](2, 3, 3, 3))
	if err := op.Backward(Grads{DY: must(New(part, 1, 3, 4, 5)), X: x, DW: boxed, Begin: []int{2, 3},
		End: []int{6, 8}}); err != nil {
		t.Fatal(err)
	}
	if err := op.Backward(Grads{DY: must(New(dy, 1, 3, 13, 17)), X: x, DW: all}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(boxed.Data(), all.Data()) {
		t.Error("the gradient through a box")
	}
	for _, bad := range [][2][]int{{{0, 0}, {14, 17}}, {{3, 3}, {3, 4}}, {{0}, {1}}, {{0, 0, 0, 0}, {1, 1, 1, 1}},
		{{0, 0}, {1}}, {{}, {}}, {nil, {1, 1}}} {
		if _, err := op.OutputSpec(Call{X: x, Begin: bad[0], End: bad[1]}); !errors.Is(err, StatusMisuseRegion) {
			t.Error(bad, err)
		}
	}
	ask := func(box Call) error { return fault(op.OutputSpec(box)) }
	says(t, ask(Call{X: x, Begin: []int{0}, End: []int{1}}), StatusMisuseRegion,
		"Begin: got [0]; legal is an entry for each spatial axis: 2, or 3 without a batch axis; the tensor has 4 axes")
	says(t, ask(Call{X: x, Begin: []int{0, 0}, End: []int{1}}), StatusMisuseRegion, "legal is 2 entries, as Begin has")
	says(t, ask(Call{X: x, Begin: []int{0, 0}, End: []int{1, 1}, XBegin: []int{0, 0}, XShape: []int{5}}),
		StatusMisuseRegion, "XShape: got [5]; legal is an entry for each axis of x; the tensor has 4 axes")
}

// A signal in portions is the signal at once; a stream keeps its op's C object after the op is closed.
func TestStreams(t *testing.T) {
	op := open(t, layer(nil), weights(same), Options{})
	x, want := numbers(1, tn*tci*tlen), expected()
	stream := must(op.NewStream(tn, StreamOptions{}))
	op.Close()
	add := func(out [][]float32, y *Tensor[float32]) {
		length := y.Shape()[2]
		for row := range out {
			out[row] = append(out[row], y.Data()[row*length:(row+1)*length]...)
		}
	}
	hear := func(s *Stream, out [][]float32, from, to int) {
		part := must(Strided(x, from, []int{tn, tci, to - from}, []int{tci * tlen, tlen, 1}))
		y := must(Zeros[float32](tn, tco, must(s.Coming(part))))
		if n := must(s.Push(part, y)); n != y.Shape()[2] {
			t.Error(n, y.Shape())
		}
		add(out, y)
	}
	out := make([][]float32, tn*tco)
	hear(stream, out, 0, 3)
	if text := must(stream.Describe()); !strings.Contains(text, "inputs: 3\n") {
		t.Error(text)
	}
	twin := must(stream.Clone())
	other := make([][]float32, tn*tco)
	for i := range out {
		other[i] = append(other[i], out[i]...)
	}
	hear(stream, out, 3, tlen)
	hear(twin, other, 3, 5)
	hear(twin, other, 5, tlen)
	for _, each := range []struct {
		s   *Stream
		out [][]float32
	}{{stream, out}, {twin, other}} {
		rest := must(Zeros[float32](tn, tco, must(each.s.Left())))
		must(each.s.Flush(rest))
		add(each.out, rest)
		for row := range each.out {
			if !reflect.DeepEqual(each.out[row], want[row*tout:(row+1)*tout]) {
				t.Error(row, each.out[row])
			}
		}
		if err := each.s.Reset(); err != nil {
			t.Error(err)
		}
		must(each.s.Delay())
	}
	stream.Close()
	if _, err := stream.Left(); !errors.Is(err, StatusMisuseNull) {
		t.Error(err)
	}
	if _, err := twin.Push(must(Zeros[float32](tn, tci, 1)), nil); !errors.Is(err, StatusMisuseNull) {
		t.Error(err)
	}
	if _, err := op.NewStream(1, StreamOptions{}); !errors.Is(err, StatusMisuseNull) {
		t.Error(err)
	}
}
