// copies.ts: copies of inputs. The model runs a copy that nobody else has. So the fingerprint is that of the input that
// is run, even if the caller writes to the original, reuses its buffer, or has a getter that gives another value each
// time.

import { types } from 'node:util';
import { typedArrayName } from '../base/kinds.js';
import type { FingerprintOptions } from '../fingerprint/fingerprint.js';
import { isPlain } from '../fingerprint/plain.js';

export interface Copy<Input> {
  readonly input: Input;
  /** Bytes that it takes in memory, roughly. */
  readonly bytes: number;
  /** True: if the copy is made right after the original was named, it has the same fingerprint. */
  readonly sure: boolean;
}

/** Bytes of a value; of an object, an array or a view, including its own overhead. */
const VALUE_BYTES = 16;
const OBJECT_BYTES = 64;
const UNIT_BYTES = 2; // of UTF-16

/** Where a view lies. A view with own members of these names may give another answer each time. */
const PLACE = ['buffer', 'byteOffset', 'byteLength'] as const;

/** Copies values that have a fingerprint: text, numbers, data, and plain objects and arrays of them. */
export class Copies<Input> {
  readonly #excluded: ReadonlySet<string>;
  readonly #written: (name: string) => string;

  /** @param options which parts of an input count. */
  constructor({ exclude = [], normalization }: FingerprintOptions) {
    this.#written = (name) => (normalization === undefined ? name : name.normalize(normalization));
    this.#excluded = new Set(exclude.map(this.#written));
  }

  /**
   * Members that do not count are handed on as they are. If the input has getters, or is a Proxy, the caller's code
   * runs: each member is read once.
   */
  of(input: Input): Copy<Input> {
    return this.#copy(input, 'hand on');
  }

  /** Leaves out members that do not count: they may have any size, and would be held. */
  toKeep(input: Input): Copy<Input> {
    return this.#copy(input, 'leave out');
  }

  #copy(input: Input, others: Others): Copy<Input> {
    const copier = new Copier();
    if (this.#excluded.size === 0 || !isRecord(input)) return copier.done(copier.of(input) as Input);
    const excluded = (name: string) => this.#excluded.has(this.#written(name));
    return copier.done(copier.members(input, excluded, others) as Input);
  }
}

/** `exclude` leaves members out of plain objects. Of a tensor, everything counts. */
const isRecord = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  isPlain(value) &&
  !(TENSOR_MEMBERS.includes(Object.keys(value).sort().join()) && isPlainTensor(value));
const TENSOR_MEMBERS = ['data,dtype,shape', 'data,dims,type'];
/** Whether it is a tensor, by the rules of the fingerprint room. */
function isPlainTensor(value: object): boolean {
  const { type, dtype = type, dims, shape = dims, data } = value as Record<string, unknown>;
  return typeof dtype === 'string' && Array.isArray(shape) && ArrayBuffer.isView(data);
}

/** An instance of a class that has a fingerprint: a tensor. */
interface Instance {
  constructor: new (type: unknown, data: unknown, dims: unknown) => object;
  readonly type: unknown;
  readonly data: unknown;
  readonly dims: unknown;
}

/** What is done with members that do not count. */
type Others = 'hand on' | 'leave out';

class Copier {
  #bytes = 0;
  #sure = true;

  done<Input>(input: Input): Copy<Input> {
    return { input, bytes: this.#bytes, sure: this.#sure };
  }

  of(value: unknown): unknown {
    this.#bytes += VALUE_BYTES;
    if (typeof value === 'string') this.#bytes += value.length * UNIT_BYTES;
    return typeof value === 'object' && value !== null ? this.#object(value) : value;
  }

  #object(value: object): object {
    this.#bytes += OBJECT_BYTES;
    if (ArrayBuffer.isView(value)) return this.#view(value);
    this.#sure = false; // reading it may have run the caller's code
    if (Array.isArray(value)) return alike(value, this.#elements(value));
    if (types.isAnyArrayBuffer(value)) return this.#memory(new Uint8Array(value));
    if (types.isDate(value)) return alike(value, new Date(Date.prototype.getTime.call(value)));
    if (types.isSet(value)) return alike(value, new Set(this.#elements([...Set.prototype.values.call(value)])));
    if (!types.isMap(value)) return isPlain(value) ? this.members(value) : this.#instance(value as Instance);
    const pairs = [...Map.prototype.entries.call(value)];
    return alike(value, new Map(pairs.map(([key, each]) => [this.of(key), this.of(each)])));
  }

  #elements(values: readonly unknown[]): unknown[] {
    return Array.from(values, (each) => this.of(each));
  }

  /** A tensor of a class. It may be a Proxy, as in transformers.js; it has no members that change what it means. */
  #instance(value: Instance): object {
    if (!types.isProxy(value)) return this.members(value);
    const { type, data, dims } = value;
    return new value.constructor(type, this.of(data), this.of(dims));
  }

  members(value: object, excluded: (name: string) => boolean = () => false, others: Others = 'hand on'): object {
    this.#sure = false;
    const copy: Record<string, unknown> = {};
    for (const name of Object.keys(value)) {
      const counts = !excluded(name);
      if (!counts && others === 'leave out') continue;
      const given = (value as Record<string, unknown>)[name];
      const own = counts ? this.of(given) : given;
      this.#bytes += name.length * UNIT_BYTES;
      if (name !== '__proto__') copy[name] = own;
      else Object.defineProperty(copy, name, { value: own, writable: true, enumerable: true, configurable: true });
    }
    return alike(value, copy);
  }

  #view(value: ArrayBufferView): ArrayBufferView {
    const bytes = new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
    const memory = this.#memory(bytes);
    const name = typedArrayName(value);
    const copy =
      name === undefined
        ? new DataView(memory)
        : new (globalThis as unknown as Record<string, new (of: ArrayBuffer) => ArrayBufferView>)[name]!(memory);
    const known = Object.getPrototypeOf(value);
    if (known !== Object.getPrototypeOf(copy) && known !== Buffer.prototype) this.#sure = false; // a subclass
    if (types.isSharedArrayBuffer(value.buffer)) this.#sure = false; // other threads may write to it
    if (PLACE.some((member) => Object.hasOwn(value, member))) this.#sure = false;
    return alike(value, copy);
  }

  #memory(bytes: Uint8Array): ArrayBuffer {
    this.#bytes += bytes.length;
    const memory = new ArrayBuffer(bytes.length);
    new Uint8Array(memory).set(bytes);
    return memory;
  }
}

/** Makes `copy` an instance of the class of `value`, in its realm. Runs no constructor, which may be anybody's code. */
function alike<T extends object>(value: object, copy: T): T {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === Object.getPrototypeOf(copy) ? copy : Object.setPrototypeOf(copy, prototype);
}
