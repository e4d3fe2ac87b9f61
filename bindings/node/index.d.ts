// SPDX-License-Identifier: Apache-2.0
// Types of index.js, which says what each means.
export type DType = 'float32' | 'float64' | 'float16' | 'bfloat16'
export type Activation = 'none' | 'relu' | 'leaky_relu' | 'tanh' | 'sigmoid' | 'clip'
export type Data = Float32Array | Float64Array | Uint16Array
export interface Float { float: number }
export interface List { list: Value[] }
export type Value = number | bigint | string | boolean | null | Value[] | Float | List | Tensor
export type Args = Record<string, Value>
export interface Spec { shape: number[], dtype: DType }

export class Tensor {
  constructor (data: Data, shape: ArrayLike<number>,
    view?: { dtype?: DType, strides?: ArrayLike<number> | null, offset?: number })
  static zeros (shape: ArrayLike<number>, dtype?: DType): Tensor
  data: Data
  dtype: DType
  shape: number[]
  strides: number[] | null
  offset: number
}

export interface Options {
  weight?: Tensor | null
  bias?: Tensor | null
  engine?: string
  threads?: number
  planLimit?: number
  activation?: Activation
  alpha?: number
  beta?: number
  reproducible?: 0 | 1 | 2
  math?: 0 | 1
  measure?: boolean
}
export interface Call { y?: Tensor, weight?: Tensor, bias?: Tensor, outputSize?: Value }
export interface Gradients {
  x?: Tensor
  y?: Tensor
  weight?: Tensor
  dx?: Tensor
  dw?: Tensor
  db?: Tensor
  outputSize?: Value
  accumulate?: boolean
}

export class Layer {
  constructor (dialect: string, args: Args, options?: Options)
  outputSpec (x: Tensor, call?: Call): Spec
  run (x: Tensor, call?: Call): Tensor
  runAsync (x: Tensor, call?: Call): Promise<Tensor>
  describe (x?: Tensor | null, call?: Call): string
  backward (dy: Tensor, call: Gradients): Gradients
  backwardAsync (dy: Tensor, call: Gradients): Promise<Gradients>
}

export interface CtconvError extends Error {
  code: string
  status: number
  kind: 'type' | 'value' | 'shape' | 'unsupported' | 'memory' | 'device' | 'misuse' | 'internal'
  argument: string
  value: string
  range: string
  element: number
}

export function check (dialect: string, args: Args): void
export function float (value: number): Float
export function list (items: Iterable<Value>): List
export function weightSpec (dialect: string, args: Args, x?: Tensor | null): { weight: Spec, bias: Spec | null }
export function initWeight (dialect: string, args: Args, seed: number, dtype?: DType): Tensor
export function initBias (dialect: string, args: Args, seed: number, dtype?: DType): Tensor | null
export const version: string
export const buildInfo: string
export const dialects: string[]
export const engines: string[]
