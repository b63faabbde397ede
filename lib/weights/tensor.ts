// tensor.ts: a tensor of a checkpoint. Its elements are shown over the mapping, converted to float32, or read from the
// file.

import { native } from '../addon/native.js';
import { isFloat32Array, isUint8Array } from '../base/kinds.js';
import { countOption, rangeError, typeError } from '../base/options.js';
import { arrayOf, type TensorArray } from './dtypes.js';
import { refused } from './error.js';
import type { TensorPlace, WeightsFile } from './file.js';

/** A tensor of a checkpoint. */
export class WeightTensor {
  readonly name: string;
  /** The element type, as the file calls it: F32, BF16, Q4_K … */
  readonly dtype: string;
  /** The outermost dimension first. */
  readonly shape: readonly number[];
  /** How many bytes it has in the file. */
  readonly bytes: number;
  /** For quantised types: how many elements a block has, and how many bytes. */
  readonly quantization: { readonly blockElements: number; readonly blockBytes: number } | undefined;
  readonly #file: WeightsFile;
  readonly #begin: number;
  #data: TensorArray | undefined;

  /** @internal */
  static of(place: TensorPlace, file: WeightsFile): WeightTensor {
    return new WeightTensor(place, file);
  }

  private constructor({ name, dtype, shape, block, begin, end }: TensorPlace, file: WeightsFile) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.bytes = end - begin;
    const [blockElements, bits] = block;
    this.quantization = blockElements === 1 ? undefined : { blockElements, blockBytes: bits / 8 };
    this.#begin = begin;
    this.#file = file;
  }

  /** Whether its elements begin at a multiple of their size, which is faster, and which some libraries need. */
  get aligned(): boolean {
    return this.#begin % arrayOf(this.dtype).bytes === 0;
  }

  /** The file that holds it, and the place in it. */
  get place(): { path: string; begin: number; end: number } {
    return { path: this.#file.path, begin: this.#begin, end: this.#begin + this.bytes };
  }

  /**
   * The elements, over the mapping itself, in the typed array of their type. F16 is a Float16Array if the runtime has
   * it. BF16 is bits in a Uint16Array. A type without an array is bytes. A view stays as it is after the weights were
   * closed.
   *
   * A write to it changes only this mapping: neither the file nor another worker's view. Cost: a typed array, once.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_WINDOW`: it is longer than one buffer may be (4 GiB on Node 20); use {@link
   *   part}. `ERR_WEIGHTS_CLOSED`: the weights were closed.
   */
  get data(): TensorArray {
    this.#data ??= this.part(0, this.bytes);
    return this.#data;
  }

  /** As {@link data}, but only bytes `begin` to `end` of the tensor. They must be whole elements. */
  part(begin: number, end: number): TensorArray {
    void this.#file.handle; // throws after `close`
    const { array, bytes } = arrayOf(this.dtype);
    countOption('begin', begin, 0, this.bytes);
    countOption('end', end, begin, this.bytes);
    if (begin % bytes !== 0 || end % bytes !== 0)
      throw typeError('begin', `whole elements of ${bytes} bytes`, begin % bytes !== 0 ? begin : end);
    if (end === begin) return new array(new ArrayBuffer(0), 0, 0);
    const from = this.#begin + begin;
    if (from % bytes !== 0) return new array(this.#file.part(from, from + end - begin), 0, (end - begin) / bytes);
    const { buffer, offset } = this.#file.window(from, from + end - begin);
    return new array(buffer, offset, (end - begin) / bytes);
  }

  /** Gives up its view, which would keep the memory of a closed file. @internal */
  forget(): void {
    this.#data = undefined;
  }

  /** @internal */
  get file(): WeightsFile {
    return this.#file;
  }

  /**
   * Its elements as float32: from 16 and 8 bits, integers, or blocks (Q4_0, Q8_0, Q4_K, Q6_K …). `begin` and `end`
   * choose bytes, which must be whole elements or blocks; by default, all of the tensor.
   *
   * @throws {TypeError} its type cannot be converted. @throws {RangeError} the bytes are not whole blocks; `out` is too
   * short.
   * @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: the file was cut.
   */
  toFloat32(out?: Float32Array, begin = 0, end = this.bytes): Float32Array {
    countOption('begin', begin, 0, this.bytes);
    countOption('end', end, begin, this.bytes);
    const from = this.#begin + begin;
    const to = this.#begin + end;
    const count = native.tensorFloat32(this.#file.handle, from, to, this.dtype) as number;
    if (count < 0) {
      const known = native.tensorFloat32(this.#file.handle, from, from, this.dtype) === 0;
      if (!known) throw typeError('dtype', 'a type that can be converted', this.dtype);
      throw rangeError('end', `whole blocks of ${this.dtype}`, end - begin);
    }
    const floats = out ?? new Float32Array(count);
    if (!isFloat32Array(floats)) throw typeError('out', 'a Float32Array', out);
    if (floats.length < count) throw rangeError('out.length', `at least ${count}`, floats.length);
    const done = native.tensorFloat32(this.#file.handle, from, to, this.dtype, floats);
    if (Array.isArray(done)) throw refused(done, this.#file.path);
    return floats;
  }

  /** Copies its bytes from the file into `out`, which may be shorter. A file that was cut meanwhile is an error. */
  read(out: Uint8Array, from = 0): void {
    countOption('from', from, 0, this.bytes);
    if (!isUint8Array(out)) throw typeError('out', 'a Uint8Array', out);
    this.#file.read(this.#begin + from, out.subarray(0, Math.min(out.length, this.bytes - from)));
  }
}
