// SPDX-License-Identifier: Apache-2.0

package ctconv

import "math"

// Float16 is the bits of an IEEE binary16 number.
type Float16 uint16

// Bfloat16 is the bits of a bfloat16 number.
type Bfloat16 uint16

// Element is a type that tensors hold.
type Element interface {
	float32 | float64 | Float16 | Bfloat16
}

// DType is an element type by its name.
type DType string

// The element types of the library.
const (
	F16  DType = "float16"
	BF16 DType = "bfloat16"
	F32  DType = "float32"
	F64  DType = "float64"
)

// The codes of DLPack, with the bits.
var dtypes = map[DType][2]int64{F16: {2, 16}, BF16: {4, 16}, F32: {2, 32}, F64: {2, 64}}

func dtypeOf[T Element]() DType {
	var zero T
	switch any(zero).(type) {
	case float32:
		return F32
	case float64:
		return F64
	case Float16:
		return F16
	}
	return BF16
}

// dtypeNamed is "" for a type that the library computes nothing in.
func dtypeNamed(code, bits int64) DType {
	for name, pair := range dtypes {
		if pair == [2]int64{code, bits} {
			return name
		}
	}
	return ""
}

// ToBfloat16 is the nearest bfloat16, ties to even; NaN stays NaN.
func ToBfloat16(value float32) Bfloat16 {
	bits := math.Float32bits(value)
	if value != value {
		return Bfloat16(bits>>16 | 0x40)
	}
	return Bfloat16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)
}

// Float32 is exact.
func (b Bfloat16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// ToFloat16 is the nearest binary16, ties to even; beyond 65504 infinity; NaN stays NaN.
func ToFloat16(value float32) Float16 {
	sign := Float16(math.Float32bits(value) >> 16 & 0x8000)
	bits := math.Float32bits(value) & 0x7fffffff
	switch {
	case value != value:
		return sign | 0x7e00
	case bits < 0x38800000: // below 2^-14: adding 0.5 leaves just the multiples of 2^-24, rounded as floats round
		return sign | Float16(math.Float32bits(math.Float32frombits(bits)+0.5)-math.Float32bits(0.5))
	case bits >= 0x477ff000: // 65520
		return sign | 0x7c00
	}
	return sign | Float16((bits+0xfff+(bits>>13&1))>>13-112<<10)
}

// Float32 is exact.
func (h Float16) Float32() float32 {
	magnitude, sign := uint32(h&0x7fff), uint32(h&0x8000)<<16
	var value float32
	switch {
	case magnitude < 0x400:
		value = float32(magnitude) / (1 << 24)
	case magnitude >= 0x7c00:
		value = math.Float32frombits(0x7f800000 | magnitude<<13)
	default:
		value = math.Float32frombits(magnitude<<13 + 112<<23)
	}
	return math.Float32frombits(math.Float32bits(value) | sign)
}
