// SPDX-License-Identifier: Apache-2.0

package ctconv_test

import (
	"errors"
	"fmt"
	"log"

	"ctconv"
)

func Example() {
	desc, err := ctconv.NewDesc("torch.nn.ConvTranspose2d", ctconv.Args{
		"in_channels": 1, "out_channels": 1, "kernel_size": 2, "stride": 2})
	if err != nil {
		log.Fatal(err)
	}
	defer desc.Close()
	weight, _ := ctconv.New([]float32{1, 1, 1, 1}, 1, 1, 2, 2)
	op, err := ctconv.NewOp(desc, ctconv.Weights{W: weight}, ctconv.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer op.Close()
	x, _ := ctconv.New([]float32{1, 2, 3, 4}, 1, 1, 2, 2)
	y, err := ctconv.Run(op, x)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y.Shape(), y.Data()[:4])

	err = desc.Set("stride", 0).Validate()
	var refused *ctconv.Error
	if errors.As(err, &refused) && errors.Is(err, ctconv.KindValue) {
		fmt.Printf("%s is %s, legal is %s\n", refused.Argument, refused.Value, refused.Range)
	}
	// Output:
	// [1 1 4 4] [1 1 2 2]
	// stride is 0, legal is >= 1
}
