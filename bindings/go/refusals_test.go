// SPDX-License-Identifier: Apache-2.0

package ctconv

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// says asks for a status and a part of the text.
func says(t *testing.T, err error, status Status, part string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status != status || !errors.Is(err, status) || !errors.Is(err, status.Kind()) {
		t.Errorf("want %v, got %v", status, err)
	} else if text := err.Error(); !strings.HasPrefix(text, status.Error()) || !strings.Contains(text, part) {
		t.Errorf("want %q in %q", part, text)
	}
}

func fault[T any](_ T, err error) error { return err }

func TestTheLibrarysOwnRefusals(t *testing.T) {
	args := Args{"in_channels": 1, "out_channels": 1, "kernel_size": 3, "stride": []int{1, 0}}
	desc := must(NewDesc("torch.nn.ConvTranspose2d", args))
	var e *Error
	if err := desc.Validate(); !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Status != StatusValueStride || e.Element != 1 || e.Argument != "stride" || e.Value != "(1, 0)" ||
		!strings.Contains(e.Range, "1") || e.Message == "" {
		t.Errorf("%+v", e)
	}
	if !errors.Is(e, KindValue) || errors.Is(e, KindShape) || errors.Is(e, StatusValueDilation) {
		t.Error("errors.Is")
	}
	says(t, fault(NewDesc("torch.nn.ConvTranspose9d", nil)), StatusMisuseDialect, "torch.nn.ConvTranspose")
	says(t, fault(NewDesc("a\x00b", nil)), StatusMisuseDialect, "without NUL")
	odd := must(NewDesc("torch.nn.ConvTranspose2d", Args{"in\x00channels": 1}))
	says(t, odd.Validate(), StatusTypeArgumentName, "without NUL")
	says(t, fault(NewOp(odd, Weights{}, Options{})), StatusTypeArgumentName, "without NUL")
	says(t, must(NewDesc("torch.nn.ConvTranspose2d", Args{"in_chanels": 1})).Validate(), StatusTypeArgumentName,
		"in_chanels")
	says(t, fault(Arguments("none")), StatusMisuseDialect, "none")
	if arguments := must(Arguments("torch.nn.ConvTranspose2d")); arguments[0].Name != "in_channels" ||
		!arguments[0].Required || arguments[3].Default != "1" {
		t.Error(arguments)
	}
}

func TestValuesKeepTheirSort(t *testing.T) {
	sort := func(value any) error {
		return must(NewDesc("torch.nn.ConvTranspose1d", layer(Args{"in_channels": value}))).Validate()
	}
	for _, value := range []any{true, 1.0, "3", nil, struct{}{}, map[string]int{}, List{1}} {
		says(t, sort(value), StatusTypeInChannels, "in_channels")
	}
	for _, value := range []any{3, int8(3), int64(3), uint16(3), uint64(3)} {
		if err := sort(value); err != nil {
			t.Error(err)
		}
	}
	endless := []any{nil}
	endless[0] = endless
	says(t, sort(endless), StatusMisuseValue, "")
	mindspore := func(kernel any) error {
		return must(NewDesc("mindspore.nn.Conv2dTranspose", Args{"in_channels": 1, "out_channels": 1,
			"kernel_size": kernel})).Validate()
	}
	for _, kernel := range []any{[]int{3, 3}, [2]int{3, 3}, Tuple{3, 3}} {
		if err := mindspore(kernel); err != nil {
			t.Error(err)
		}
	}
	if err := mindspore(List{3, 3}); !errors.Is(err, KindType) {
		t.Error(err)
	}
	// A tensor as an argument is copied.
	w := must(New([]float32{1, 2, 3, 4}, 1, 1, 2, 2))
	desc := must(NewDesc("mindspore.nn.Conv2dTranspose", Args{"in_channels": 1, "out_channels": 1, "kernel_size": 2,
		"weight_init": w}))
	w.Data()[0] = 9
	if got := must(InitWeight[float32](desc, 0)).Data(); got[0] != 1 || got[3] != 4 {
		t.Error(got)
	}
}

func TestShapesAndTypes(t *testing.T) {
	op := open(t, Args{"in_channels": 1, "out_channels": 1, "kernel_size": 2},
		Weights{W: must(New([]float32{1, 1}, 1, 1, 2))}, Options{})
	x := must(New([]float32{1, 2, 3}, 1, 1, 3))
	says(t, op.Execute(Call{X: x, Y: must(Zeros[float32](1, 1, 5))}), StatusMisuseYShape, "")
	says(t, op.Execute(Call{X: x, Y: must(Zeros[float64](1, 1, 4))}), StatusMisuseYDtype, "")
	says(t, op.Execute(Call{X: x}), StatusMisuseNull, "")
	says(t, op.Execute(Call{Y: x}), StatusMisuseNull, "")
	says(t, fault(Run(op, must(New([]float64{1, 2, 3}, 1, 1, 3)))), StatusTypeDtypeMismatch, "")
	says(t, fault(RunCall[float64](op, Call{X: x})), StatusMisuseYDtype, "float32")
	says(t, fault(Run(op, must(New([]float32{1, 2, 3}, 3)))), StatusShapeInputRank, "")
	// Written memory that meets itself or x is refused and untouched.
	room := make([]float32, 64)
	pair := must(New([]float32{1, 2, 3, 4, 5, 6}, 2, 1, 3))
	says(t, op.Execute(Call{X: pair, Y: must(Strided(room, 0, []int{2, 1, 4}, []int{2, 9, 1}))}), StatusMisuseYOverlap, "")
	says(t, op.Execute(Call{X: must(New(room[2:5], 1, 1, 3)), Y: must(New(room[:4], 1, 1, 4))}), StatusMisuseYOverlap, "")
	for i, v := range room {
		if v != 0 {
			t.Fatal("written at ", i)
		}
	}
	desc := must(NewDesc("torch.nn.ConvTranspose1d", layer(nil)))
	says(t, fault(NewOp(desc, Weights{}, Options{Engine: "onednnn"})), StatusMisuseEngine, "onednnn")
	says(t, fault(NewOp(desc, Weights{}, Options{Engine: "a\x00b"})), StatusMisuseEngine, "without NUL")
	says(t, fault(NewOp(desc, Weights{}, Options{Threads: math.MaxInt})), StatusMisuseOption, "threads")
	forced := open(t, layer(nil), weights(same), Options{Engine: "reference", Threads: 1})
	call := Call{X: cast(same, numbers(1, tn*tci*tlen), tn, tci, tlen)}
	if text := must(forced.Describe(call)); !strings.HasPrefix(text, "engine: reference\n") {
		t.Error(text)
	}
}

func TestViewsStayInsideTheirSlice(t *testing.T) {
	data := make([]float32, 12)
	for _, good := range []error{
		fault(New(data, 3, 4)), fault(New(data[:0], 0, 5)), fault(Strided(data, 0, []int{3, 4}, []int{4, 1})),
		fault(Strided(data, 11, []int{3, 4}, []int{-4, -1})), fault(Strided(data, 0, []int{1000}, []int{0})),
		fault(Strided(data, 99, []int{0, 4}, []int{math.MaxInt, 1})), fault(Zeros[float32]()),
	} {
		if good != nil {
			t.Error(good)
		}
	}
	for _, bad := range []error{
		fault(Strided(data, 1, []int{3, 4}, []int{4, 1})), fault(Strided(data, 10, []int{3, 4}, []int{-4, -1})),
		fault(Strided(data, 0, []int{2, 2}, []int{math.MaxInt, math.MaxInt})),
		fault(Strided(data, 0, []int{2, 2}, []int{math.MinInt, 1})), fault(Strided(data, -1, []int{1}, []int{1})),
		fault(Strided(data, 12, []int{1}, []int{1})), fault(Strided(data, math.MaxInt, []int{2}, []int{1})),
	} {
		says(t, bad, StatusMisuseTensor, "inside the slice of 12 elements")
	}
	says(t, fault(New(data, 3, 3)), StatusMisuseTensor, "9 elements")
	says(t, fault(New(data, 1, 1, 1, 1, 1, 1, 1, 3, 4)), StatusMisuseTensor, "9 axes")
	says(t, fault(New(data, -3, -4)), StatusMisuseTensor, "below 0")
	says(t, fault(New(data, math.MaxInt, 2)), StatusMisuseTensor, "2^63")
	says(t, fault(Strided(data, 0, []int{3, 4}, []int{4})), StatusMisuseTensor, "2 axes")
	says(t, fault(Zeros[float64](1<<30, 1<<30)), StatusNoMemory, "bytes")
}

func TestNothingMadeIsRefused(t *testing.T) {
	var op *Op
	var desc *Desc
	var stream *Stream
	x := must(Zeros[float32](1, 1, 3))
	const made = "made by NewOp"
	for _, err := range []error{
		op.Execute(Call{X: x, Y: x}), fault(op.OutputSpec(Call{X: x})), fault(op.Prepare(Call{X: x})),
		fault(op.Describe(Call{X: x})), op.Backward(Grads{DY: x}), fault(op.BackwardPrepare(Grads{DY: x})),
		fault(op.BackwardDescribe(Grads{DY: x})), fault(op.NewStream(1, StreamOptions{})), fault(Run(op, x)), op.Close(),
	} {
		says(t, err, StatusMisuseNull, made)
	}
	_, _, err := op.RegionWindow(Call{X: x, Begin: []int{0}, End: []int{1}})
	says(t, err, StatusMisuseNull, made)
	_, _, err = desc.WeightSpec(nil)
	says(t, err, StatusMisuseNull, "made by NewDesc")
	for _, err := range []error{
		desc.Validate(), desc.Set("stride", 1).Validate(), desc.InitWeightInto(0, x), desc.InitBiasInto(0, x),
		fault(InitWeight[float32](desc, 0)), fault(NewOp(desc, Weights{}, Options{})), desc.Close(),
		(&Desc{}).Set("stride", 1).Validate(),
	} {
		says(t, err, StatusMisuseNull, "made by NewDesc")
	}
	for _, err := range []error{
		fault(stream.Push(x, x)), fault(stream.Left()), stream.Reset(), fault(stream.Clone()), fault(stream.Delay()),
		fault(stream.Describe()), stream.Close(),
	} {
		says(t, err, StatusMisuseNull, "made by NewStream")
	}
}

func TestTensorsThatNothingMadeAreRefused(t *testing.T) {
	op := open(t, Args{"in_channels": 1, "out_channels": 1, "kernel_size": 2},
		Weights{W: must(New([]float32{1, 1}, 1, 1, 2))}, Options{})
	x, none, lone := must(Zeros[float32](1, 1, 3)), &Tensor[float32]{}, (*Tensor[float32])(nil)
	desc := must(NewDesc("torch.nn.ConvTranspose1d", layer(nil)))
	stream := must(op.NewStream(1, StreamOptions{}))
	box := Call{X: none, Begin: []int{0}, End: []int{1}}
	_, _, noSpec := desc.WeightSpec(none)
	_, _, noWindow := op.RegionWindow(box)
	for name, err := range map[string]error{
		"X": op.Execute(Call{X: none, Y: x}), "Y": op.Execute(Call{X: x, Y: none}), "x": noSpec,
		"W": fault(NewOp(desc, Weights{W: none}, Options{})), "B": fault(NewOp(desc, Weights{B: none}, Options{})),
		"DY": op.Backward(Grads{DY: none, X: x}), "DX": op.Backward(Grads{DY: x, X: x, DX: none}),
		"out": desc.InitWeightInto(0, none), "y": fault(stream.Push(x, none)),
		"weight_init": must(NewDesc("torch.nn.ConvTranspose1d", layer(Args{"weight_init": none}))).Validate(),
	} {
		says(t, err, StatusMisuseTensor, name+": got a zero Tensor; legal is one made by New, Zeros or Strided")
	}
	for _, err := range []error{noWindow, fault(Run(op, none)), fault(op.Prepare(Call{X: none})),
		fault(op.Describe(Call{X: none})), fault(op.BackwardPrepare(Grads{DY: none})),
		fault(op.BackwardDescribe(Grads{DY: none})), fault(stream.Coming(none)), fault(stream.Flush(none))} {
		says(t, err, StatusMisuseTensor, "a zero Tensor")
	}
	// A nil *Tensor counts as none, also where a region asks for its shape.
	if lone.Shape() != nil || lone.Data() != nil || lone.DType() != F32 || none.Shape() == nil {
		t.Error("a nil Tensor has no shape, a zero one has no axis")
	}
	box.X = lone
	says(t, op.Execute(box), StatusMisuseRegion, "the tensor has 0")
	says(t, op.Execute(Call{X: lone, Y: x}), StatusMisuseNull, "")
}

func TestMoreThanTheMachineHasIsRefused(t *testing.T) {
	// The runtime would end the whole program.
	says(t, fault(Zeros[float64](1<<41)), StatusNoMemory, "at most")
	says(t, fault(Zeros[Float16](1<<40, 1<<5)), StatusNoMemory, "[1099511627776 32]")
	huge := must(NewDesc("torch.nn.ConvTranspose1d", Args{"in_channels": 1 << 20, "out_channels": 1 << 21,
		"kernel_size": 1}))
	says(t, fault(InitWeight[float64](huge, 0)), StatusNoMemory, "at most")
	desc := must(NewDesc("torch.nn.ConvTranspose1d", layer(nil)))
	says(t, fault(NewOp(desc, Weights{}, Options{WorkspaceLimit: -1})), StatusMisuseOption,
		"WorkspaceLimit: got -1; legal is 0 (no limit) or more bytes")
}

func TestHalves(t *testing.T) {
	for i := 0; i <= math.MaxUint16; i++ {
		h, b := Float16(i), Bfloat16(i)
		if v := h.Float32(); v == v && ToFloat16(v) != h || v != v && ToFloat16(v).Float32() == ToFloat16(v).Float32() {
			t.Fatalf("float16 %#x", i)
		}
		if v := b.Float32(); v == v && ToBfloat16(v) != b || v != v && ToBfloat16(v).Float32() == ToBfloat16(v).Float32() {
			t.Fatalf("bfloat16 %#x", i)
		}
	}
	for i := 0; i < 0x7bff; i++ { // halfway between two goes to the even one
		low, high := Float16(i), Float16(i+1)
		if got := ToFloat16((low.Float32() + high.Float32()) / 2); got != low+low&1 {
			t.Fatalf("%#x and %#x: %#x", low, high, got)
		}
	}
	for value, want := range map[float32]Float16{1: 0x3c00, -2: 0xc000, 65504: 0x7bff, 65519.9: 0x7bff, 65520: 0x7c00,
		1e30: 0x7c00, 1e-9: 0} {
		if got := ToFloat16(value); got != want {
			t.Errorf("%v: %#x, want %#x", value, got, want)
		}
	}
}
