// The three layers of examples/languages in Go: `go run .` prints dialect, y's shape and the FNV-1a of y's bytes.
package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log"
	"math"
	"strings"

	"ctconv"
)

// Weight by seed 1, bias by seed 2, x[i] = (i * 37 % 101 - 50) / 64, the reference's bits.
func run(dialect string, args ctconv.Args, shape ...int) error {
	count := 1
	for _, n := range shape {
		count *= n
	}
	data := make([]float32, count)
	for i := range data {
		data[i] = (float32(i*37%101) - 50) / 64
	}
	x, err := ctconv.New(data, shape...)
	if err != nil {
		return err
	}
	desc, err := ctconv.NewDesc(dialect, args)
	if err != nil {
		return err
	}
	defer desc.Close()
	w, err := ctconv.InitWeight[float32](desc, 1)
	if err != nil {
		return err
	}
	b, err := ctconv.InitBias[float32](desc, 2)
	if err != nil {
		return err
	}
	op, err := ctconv.NewOp(desc, ctconv.Weights{W: w, B: b}, ctconv.Options{Reproducible: ctconv.ReferenceBits})
	if err != nil {
		return err
	}
	defer op.Close()
	y, err := ctconv.Run(op, x)
	if err != nil {
		return err
	}
	bytes := make([]byte, 4*len(y.Data()))
	for i, v := range y.Data() {
		binary.LittleEndian.PutUint32(bytes[4*i:], math.Float32bits(v))
	}
	hash := fnv.New64a()
	hash.Write(bytes)
	text := strings.ReplaceAll(strings.Trim(fmt.Sprint(y.Shape()), "[]"), " ", "x")
	fmt.Printf("%s %s %016x\n", dialect, text, hash.Sum64())
	return nil
}

func main() {
	log.SetFlags(0)
	vocoder := ctconv.Args{"in_channels": 32, "out_channels": 16, "kernel_size": 16, "stride": 8, "padding": 4}
	picture := ctconv.Args{"in_channels": 24, "out_channels": 12, "kernel_size": 3, "stride": 2, "pad_mode": "same",
		"has_bias": true}
	volume := ctconv.Args{"in_channels": 16, "out_channels": 33, "kernel_size": []int{3, 5, 2},
		"stride": []int{2, 1, 1}, "padding": []int{0, 4, 2}}
	if err := run("torch.nn.ConvTranspose1d", vocoder, 1, 32, 200); err != nil {
		log.Fatal(err)
	}
	if err := run("mindspore.nn.Conv2dTranspose", picture, 2, 24, 30, 40); err != nil {
		log.Fatal(err)
	}
	if err := run("torch.nn.ConvTranspose3d", volume, 2, 16, 10, 50, 100); err != nil {
		log.Fatal(err)
	}
}
