// SPDX-License-Identifier: Apache-2.0
// libctconv for Node: transposed convolution in 1, 2 and 3 dimensions, in the words of six frameworks.
//
//   const { Layer, Tensor } = require('ctconv')
//   const layer = new Layer('torch.nn.ConvTranspose2d', { in_channels: 1, out_channels: 1, kernel_size: 2, stride: 2 },
//                           { weight: new Tensor(new Float32Array(4).fill(1), [1, 1, 2, 2]) })
//   const y = layer.run(x)              // at once
//   const z = await layer.runAsync(x)   // on one of Node's worker threads; leave x alone meanwhile
//
// A refusal is an Error with code ('CTCONV_ERR_VALUE_STRIDE'), status, kind, argument, value, range and element.
'use strict'

const native = require(process.env.CTCONV_NODE_ADDON ?? './build/ctconv.node')

const ARRAYS = { float32: Float32Array, float64: Float64Array, float16: Uint16Array, bfloat16: Uint16Array }
const ACTIVATIONS = ['none', 'relu', 'leaky_relu', 'tanh', 'sigmoid', 'clip']

// A typed array seen with a shape, and, in elements, strides and the place of element (0, 0, ...): nothing is copied.
// dtype: of a Uint16Array 'float16' or 'bfloat16'. Bounds are judged at each call.
class Tensor {
  constructor (data, shape, { dtype, strides = null, offset = 0 } = {}) {
    const plain = data instanceof Float32Array ? 'float32' : data instanceof Float64Array ? 'float64' : undefined
    this.data = data
    this.dtype = dtype ?? plain
    if (this.dtype === undefined) throw new TypeError("ctconv: a Uint16Array needs dtype 'float16' or 'bfloat16'")
    this.shape = Array.from(shape)
    this.strides = strides && Array.from(strides)
    this.offset = offset
    const size = this.shape.reduce((a, b) => a * b, 1)
    if (strides === null && offset === 0 && data.length !== size) {
      throw new RangeError(`ctconv: an array of ${data.length} elements, but shape [${this.shape}] has ${size}`)
    }
  }

  static zeros (shape, dtype = 'float32') {
    const size = Array.from(shape).reduce((a, b) => a * b, 1)
    return new Tensor(new ARRAYS[dtype](size), shape, { dtype })
  }
}

// Arguments are numbers (whole ones are ints), strings, booleans, null (None), arrays (tuples), Tensors, and these two.
const float = (value) => ({ float: value })
const list = (items) => ({ list: Array.from(items) })

const describeArgs = (dialect, args) => native.makeDesc(dialect, Object.entries(args))

// Judges every argument that needs no tensor; throws the first fault in the dialect's documented order.
const check = (dialect, args) => native.validate(describeArgs(dialect, args))

// { weight: {shape, dtype}, bias: {shape, dtype} or null }
function weightSpec (dialect, args, x = null) {
  const [weight, bias] = native.weightSpec(describeArgs(dialect, args), x)
  return { weight, bias }
}

function initialised (isBias, dialect, args, seed, dtype) {
  const desc = describeArgs(dialect, args)
  const spec = native.weightSpec(desc, null)[isBias ? 1 : 0]
  if (spec === null) return null
  const out = Tensor.zeros(spec.shape, dtype ?? spec.dtype)
  native.init(desc, isBias, seed, out)
  return out
}

// A new weight or bias by the dialect's initialiser: the same seed gives the same bits on every machine.
const initWeight = (dialect, args, seed, dtype) => initialised(false, dialect, args, seed, dtype)
const initBias = (dialect, args, seed, dtype) => initialised(true, dialect, args, seed, dtype)

// A dialect with its arguments and weight (copied), ready to run.
class Layer {
  #op

  // options: weight, bias, engine, threads, planLimit, activation (a name), alpha, beta, reproducible (0, 1, 2), math,
  // measure
  constructor (dialect, args, options = {}) {
    const { weight = null, bias = null, activation = 'none', measure = false, ...rest } = options
    const chosen = ACTIVATIONS.indexOf(activation)
    if (chosen < 0) throw new RangeError(`ctconv: activation '${activation}'; known are ${ACTIVATIONS.join(', ')}`)
    const given = { ...rest, activation: chosen, tuning: measure ? 1 : 0 }
    this.#op = native.makeOp(describeArgs(dialect, args), weight, bias, given)
  }

  // call: weight and bias of a layer made without, outputSize
  outputSpec (x, call = {}) {
    return native.outputSpec(this.#op, { ...call, x })
  }

  #prepared (x, call) {
    const { shape, dtype } = call.y ? {} : this.outputSpec(x, call)
    return { ...call, x, y: call.y ?? Tensor.zeros(shape, dtype) }
  }

  // y, a new Tensor, or call.y, which is written
  run (x, call = {}) {
    const whole = this.#prepared(x, call)
    native.execute(this.#op, whole, false)
    return whole.y
  }

  // The same, computed on a worker thread. The arrays may not be written, detached or resized until it has settled.
  async runAsync (x, call = {}) {
    const whole = this.#prepared(x, call)
    await native.execute(this.#op, whole, true)
    return whole.y
  }

  // `key: value` lines: what will run for x; without x the layer as a whole.
  describe (x = null, call = {}) {
    return native.describe(this.#op, x && { ...call, x })
  }

  // Writes dx, dw, db, as far as they are given; reads x, y, weight, outputSize, accumulate as ctconv.h says.
  backward (dy, call) {
    native.backward(this.#op, { ...call, dy }, false)
    return call
  }

  async backwardAsync (dy, call) {
    await native.backward(this.#op, { ...call, dy }, true)
    return call
  }
}

module.exports = { Layer, Tensor, check, float, initBias, initWeight, list, weightSpec, ...native.info() }
