// The three layers of examples/languages in Node: prints dialect, y's shape and the FNV-1a of y's bytes.
'use strict'

const { Layer, Tensor, initBias, initWeight } = require('../../../bindings/node')

// FNV-1a in two halves of 32 bits: the prime is 2^40 + 0x1b3.
function fnv1a (bytes) {
  let [high, low] = [0xcbf29ce4, 0x84222325]
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0
    const product = low * 0x1b3
    high = (Math.imul(high, 0x1b3) + (low << 8) + Math.floor(product / 0x100000000)) >>> 0
    low = product >>> 0
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

// Weight by seed 1, bias by seed 2, x[i] = (i * 37 % 101 - 50) / 64, the reference's bits.
function run (dialect, args, shape) {
  const count = shape.reduce((a, b) => a * b)
  const x = new Tensor(Float32Array.from({ length: count }, (_, i) => (i * 37 % 101 - 50) / 64), shape)
  const weights = { weight: initWeight(dialect, args, 1), bias: initBias(dialect, args, 2) }
  const y = new Layer(dialect, args, { ...weights, reproducible: 1 }).run(x)
  console.log(dialect, y.shape.join('x'), fnv1a(new Uint8Array(y.data.buffer, y.data.byteOffset, y.data.byteLength)))
}

run('torch.nn.ConvTranspose1d',
  { in_channels: 32, out_channels: 16, kernel_size: 16, stride: 8, padding: 4 }, [1, 32, 200])
run('mindspore.nn.Conv2dTranspose',
  { in_channels: 24, out_channels: 12, kernel_size: 3, stride: 2, pad_mode: 'same', has_bias: true }, [2, 24, 30, 40])
run('torch.nn.ConvTranspose3d',
  { in_channels: 16, out_channels: 33, kernel_size: [3, 5, 2], stride: [2, 1, 1], padding: [0, 4, 2] },
  [2, 16, 10, 50, 100])
