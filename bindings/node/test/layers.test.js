// SPDX-License-Identifier: Apache-2.0
// The Node binding against the definition of the transposed convolution; views, promises, gradients, refusals.
'use strict'

const assert = require('node:assert')
const { test } = require('node:test')
const { Layer, Tensor, check, dialects, float, initBias, initWeight, list, weightSpec } = require('..')

// A 1-D layer whose stride, padding and dilation all matter.
const [N, CI, CO, LENGTH, K, S, P, D] = [2, 3, 2, 7, 3, 2, 1, 2]
const OUT = (LENGTH - 1) * S + D * (K - 1) + 1 - 2 * P
const DIALECT = 'torch.nn.ConvTranspose1d'
const ARGS = { in_channels: CI, out_channels: CO, kernel_size: K, stride: [S], padding: P, dilation: D }

// Small integers: every sum below is exact.
const numbers = (seed, count) => Float32Array.from({ length: count }, (_, i) => (i * 7 + seed * 3) % 5 - 2)
const X = numbers(1, N * CI * LENGTH)
const W = numbers(2, CI * CO * K)
const B = numbers(3, CO)

function products (each) {
  for (let n = 0; n < N; n++) for (let ci = 0; ci < CI; ci++) for (let co = 0; co < CO; co++) {
    for (let i = 0; i < LENGTH; i++) for (let t = 0; t < K; t++) {
      const o = i * S + t * D - P
      if (o >= 0 && o < OUT) each((n * CI + ci) * LENGTH + i, (ci * CO + co) * K + t, (n * CO + co) * OUT + o)
    }
  }
}

function expected () {
  const y = Float32Array.from({ length: N * CO * OUT }, (_, i) => B[Math.floor(i / OUT) % CO])
  products((x, w, o) => { y[o] += X[x] * W[w] })
  return y
}

const x = () => new Tensor(X.slice(), [N, CI, LENGTH])
const weights = () => ({ weight: new Tensor(W, [CI, CO, K]), bias: new Tensor(B, [CO]) })
const layer = (options) => new Layer(DIALECT, ARGS, { ...weights(), ...options })

test('y by the definition, in three types', () => {
  const y = layer().run(x())
  assert.deepStrictEqual(y.shape, [N, CO, OUT])
  assert.deepStrictEqual(y.data, expected())
  const double = (data, shape) => new Tensor(Float64Array.from(data), shape)
  const wide = new Layer(DIALECT, ARGS, { weight: double(W, [CI, CO, K]), bias: double(B, [CO]) })
  assert.deepStrictEqual(wide.run(double(X, [N, CI, LENGTH])).data, Float64Array.from(expected()))
  const top = (data) => new Uint16Array(data.buffer, data.byteOffset, data.length * 2).filter((_, i) => i % 2 === 1)
  const brain = (data, shape) => new Tensor(top(data), shape, { dtype: 'bfloat16' })
  const narrow = new Layer(DIALECT, ARGS, { weight: brain(W, [CI, CO, K]), bias: brain(B, [CO]) })
  assert.deepStrictEqual(narrow.run(brain(X.slice(), [N, CI, LENGTH])).data, top(expected()))
})

test('strided views of larger arrays', () => {
  const memory = new Float32Array(3 + N * LENGTH * CI)
  X.forEach((v, i) => {
    const [n, c, l] = [Math.floor(i / LENGTH / CI), Math.floor(i / LENGTH) % CI, i % LENGTH]
    memory[3 + (n * LENGTH + LENGTH - 1 - l) * CI + c] = v
  })
  const backwards = { offset: 3 + (LENGTH - 1) * CI, strides: [LENGTH * CI, 1, -CI] }
  const room = new Float32Array(N * 4 * OUT * 2)
  const part = { offset: 2 * OUT * 2, strides: [4 * OUT * 2, OUT * 2, 2] }
  const y = new Tensor(room, [N, CO, OUT], part)
  layer().run(new Tensor(memory, [N, CI, LENGTH], backwards), { y })
  const want = expected()
  room.forEach((v, i) => {
    const [n, c, o] = [Math.floor(i / (8 * OUT)), Math.floor(i / (2 * OUT)) % 4, i % (2 * OUT)]
    assert.strictEqual(v, c >= 2 && o % 2 === 0 ? want[(n * CO + c - 2) * OUT + o / 2] : 0)
  })
})

test('promises: many at once on one layer', async () => {
  const shared = layer()
  const all = await Promise.all(Array.from({ length: 32 }, () => shared.runAsync(x())))
  for (const y of all) assert.deepStrictEqual(y.data, expected())
  await assert.rejects(shared.runAsync(x(), { y: Tensor.zeros([1]) }), { code: 'CTCONV_ERR_MISUSE_Y_SHAPE' })
})

test('gradients', async () => {
  const g = numbers(4, N * CO * OUT)
  const [dx, dw, db] = [new Float32Array(X.length), new Float32Array(W.length), new Float32Array(CO).fill(100)]
  products((x, w, o) => {
    dx[x] += g[o] * W[w]
    dw[w] += g[o] * X[x]
  })
  g.forEach((v, i) => { db[Math.floor(i / OUT) % CO] += v })
  const dy = new Tensor(g, [N, CO, OUT])
  const got = layer().backward(dy, { x: x(), dx: Tensor.zeros([N, CI, LENGTH]), dw: Tensor.zeros([CI, CO, K]) })
  assert.deepStrictEqual([got.dx.data, got.dw.data], [dx, dw])
  const sum = { x: x(), db: new Tensor(new Float32Array(CO).fill(100), [CO]), accumulate: true }
  assert.deepStrictEqual((await layer().backwardAsync(dy, sum)).db.data, db)
})

test('weights, shapes, facts', () => {
  assert.deepStrictEqual(weightSpec(DIALECT, ARGS).weight, { shape: [CI, CO, K], dtype: 'float32' })
  const one = initWeight(DIALECT, ARGS, 1)
  assert.deepStrictEqual(one, initWeight(DIALECT, ARGS, 1))
  assert.notDeepStrictEqual(one, initWeight(DIALECT, ARGS, 2))
  assert.strictEqual(initBias(DIALECT, { ...ARGS, bias: false }, 1), null)
  const bare = new Layer(DIALECT, ARGS)
  assert.deepStrictEqual(bare.run(x(), weights()).data, expected())
  assert.deepStrictEqual(layer().outputSpec(x(), { outputSize: [OUT + 1] }).shape, [N, CO, OUT + 1])
  assert.match(layer({ engine: 'reference' }).describe(x()), /^engine: reference\n/)
  assert.match(layer().describe(), /torch\.nn\.ConvTranspose1d/)
  assert.ok(layer({ activation: 'relu' }).run(x()).data.every((v) => v >= 0))
  assert.ok(dialects.includes(DIALECT))
})

test('refusals', () => {
  const picture = { in_channels: 1, out_channels: 1, kernel_size: 3, stride: [1, 0] }
  assert.throws(() => check('torch.nn.ConvTranspose2d', picture), {
    name: 'CtconvError', code: 'CTCONV_ERR_VALUE_STRIDE', status: 2004, kind: 'value', argument: 'stride',
    value: '(1, 0)', element: 1
  })
  for (const value of [true, float(3), '3', null, {}, () => 1, list([1])]) {
    assert.throws(() => check(DIALECT, { ...ARGS, in_channels: value }), { code: 'CTCONV_ERR_TYPE_IN_CHANNELS' })
  }
  check(DIALECT, { ...ARGS, in_channels: 3n })
  const endless = []
  endless.push(endless)
  assert.throws(() => check(DIALECT, { ...ARGS, stride: endless }), { code: 'CTCONV_ERR_MISUSE_VALUE' })
  assert.throws(() => check('mindspore.nn.Conv2dTranspose',
    { in_channels: 1, out_channels: 1, kernel_size: list([3, 3]) }), { kind: 'type' })
  assert.throws(() => new Layer('torch.nn.ConvTranspose9d', {}), /torch\.nn\.ConvTranspose/)
  assert.throws(() => layer({ engine: 'onednnn' }), { code: 'CTCONV_ERR_MISUSE_ENGINE' })
  assert.throws(() => layer({ activation: 'swish' }), /known are/)
  assert.throws(() => new Tensor(new Float32Array(5), [2, 3]), /5 elements/)
  assert.throws(() => new Tensor(new Uint16Array(6), [2, 3]), /float16/)
  const bad = [{ offset: 1 }, { strides: [12, 4, 1.5] }, { strides: [21, 7] }, { strides: [21, 7, 2] }, { offset: -1 },
    { strides: [1e16, 1, 1] }, { strides: [-21, 7, 1] }]
  for (const view of bad) {
    const outside = new Tensor(new Float32Array(N * CI * LENGTH), [N, CI, LENGTH], { strides: [21, 7, 1], ...view })
    assert.throws(() => layer().run(outside), /ctconv: /)
  }
  const changed = x()
  changed.shape[2] = 1e6
  assert.throws(() => layer().run(changed), /stay inside/)
  changed.data = [1, 2]
  assert.throws(() => layer().run(changed), /a Tensor is wanted/)
  assert.throws(() => layer().run(7), TypeError)
  assert.throws(() => layer().backward(x(), {}), /CTCONV_ERR/)
})
