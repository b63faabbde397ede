// codecs.ts: how the values of a keyspace lie in memory. It has the type of a codec, and the codecs for bytes, text,
// JSON, numbers, and for the caller's own code. vectors.ts has those for vectors of numbers.

import { isUint8Array, memberOf, typedArrayName } from '../base/kinds.js';
import { isWellFormed, rangeError, textOption, typeError } from '../base/options.js';
import type { ReadonlyUint8Array } from '../base/views.js';
import { exactJson } from './json.js';
import { Unreadable } from './unreadable.js';

/**
 * Turns values into bytes and bytes into views. Made here ({@link bytes}, {@link utf8}, {@link json}, {@link number}),
 * by the vectors (`float32(1024)`, …), or from a {@link CustomCodec}.
 *
 * @typeParam In   what `set` takes
 * @typeParam Out  what `get` gives: of vectors and bytes, a view of the cache's memory
 * @typeParam Own  what `getCopy` gives: the same, in memory of its own
 */
export interface Codec<In, Out = In, Own = Out> {
  /** The name of the layout. A keyspace that is opened twice must have the same one. */
  readonly tag: string;
  /**
   * True: several callers may get the same result of `view`, because nobody can change it, or its type forbids that.
   */
  readonly sharable?: boolean | undefined;
  /** The layout of the values, if all have the same number of bytes. */
  readonly row?: Row | undefined;
  /**
   * The bytes to store. A custom codec may write the next value over them, because they are read before `encode` is
   * called again. Throws for an invalid value.
   */
  encode(value: In): ArrayBufferView;
  /**
   * The value at `offset`, `length` bytes long. Called for every hit. Our codecs throw Unreadable for invalid bytes.
   */
  view(buffer: ArrayBufferLike, offset: number, length: number): Out;
  own(buffer: ArrayBuffer): Own;
}

/** How many values of a keyspace lie side by side. */
export interface Row {
  /** Of one value. */
  readonly bytes: number;
  /** The typed array of the elements. */
  readonly array: { new (length: number): ArrayBufferView; readonly name: string; readonly BYTES_PER_ELEMENT: number };
  /** Whether `out` holds such elements: an `array`, or for float16 a Uint16Array of the bits. */
  accepts(out: unknown): boolean;
}

/** The caller's own way to turn values into bytes and back, given as `codec` when a keyspace is opened. */
export interface CustomCodec<T> {
  /** Keyspaces of one name must have codecs of one name: 1 to 255 bytes of UTF-8. */
  readonly name?: string;
  /** The bytes to store: they are copied before `encode` is called again, so it may reuse a buffer. */
  encode(value: T): Uint8Array;
  /**
   * The value of these bytes. In `get` they are the cache's own memory: read them, do not write. A value that refers to
   * them keeps their segment, as any view does. `undefined` counts as a miss.
   */
  decode(bytes: Uint8Array): T;
}

// Only codecs that were made here decide the layout of memory. An object that looks like one is a custom codec, or
// refused.
const builtIns = new WeakSet<object>();

/** @internal */
export function builtIn<In, Out, Own>(codec: Codec<In, Out, Own>): Codec<In, Out, Own> {
  if (codec.row) Object.freeze(codec.row);
  builtIns.add(Object.freeze(codec));
  return codec;
}

const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')!.get!;

/**
 * The number of elements of a typed array, called `name` in errors. @internal
 *
 * @throws {TypeError} its buffer was detached, or shrank. Such an array must not be stored as an empty value.
 */
export function elementCount(value: unknown, name = 'value'): number {
  const length: number = lengthOf.call(value);
  if (length === 0) assertInBounds(value, name);
  return length;
}

function assertInBounds(value: unknown, name: string): void {
  try {
    Uint8Array.prototype.keys.call(value as Uint8Array);
  } catch {
    throw Object.assign(new TypeError(`${name}: its buffer was detached (transferred elsewhere), or shrank under it`), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  }
}

/**
 * Bytes as they are, 0 or more. They are aligned to 64 bytes from 256 bytes up, otherwise to 8.
 *
 * `set` takes a Uint8Array or a Buffer, and throws TypeError for anything else. `get` gives a Uint8Array.
 *
 * @example const pages = cache.keyspace('pages', { codec: bytes })
 */
export const bytes = builtIn<ReadonlyUint8Array, ReadonlyUint8Array, Uint8Array<ArrayBuffer>>({
  tag: 'bytes',
  sharable: true,
  row: undefined,
  encode(value) {
    if (!isUint8Array(value)) throw typeError('value', 'a Uint8Array', value);
    elementCount(value);
    return value;
  },
  view: (buffer, offset, length) => new Uint8Array(buffer, offset, length),
  own: (buffer) => new Uint8Array(buffer),
});

// The decoder of Node with the least overhead. Unlike TextDecoder it keeps a leading U+FEFF.
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

function encodeText(text: string): Uint8Array {
  if (!isWellFormed(text)) throw rangeError('value', 'well-formed Unicode, without lone surrogates', text);
  return Buffer.from(text);
}

function decodeText(buffer: ArrayBufferLike, offset: number, length: number): string {
  return utf8Slice.call(new Uint8Array(buffer, offset, length), 0, length);
}

/**
 * Strings, stored as UTF-8, without a terminator or an added byte-order mark. Every well-formed string comes back the
 * same, normalised or not. Every hit makes a new string, so `get` and `getCopy` give the same. Bytes that a client of a
 * server stored and that are not UTF-8 are read as U+FFFD.
 *
 * `set` throws TypeError for a value that is not a string, and RangeError for a string with a lone surrogate, which
 * UTF-8 cannot carry.
 *
 * @example const prompts = cache.keyspace('prompts', { codec: utf8 })
 */
export const utf8 = builtIn<string, string, string>({
  tag: 'utf8',
  sharable: true,
  row: undefined,
  encode(value) {
    if (typeof value !== 'string') throw typeError('value', 'a string', value);
    return encodeText(value);
  },
  view: decodeText,
  own: (buffer) => decodeText(buffer, 0, buffer.byteLength),
});

/**
 * Values that JSON gives back as they were: null, booleans, strings, finite numbers, and arrays and plain objects of
 * these. They are stored as JSON text in UTF-8. Every hit parses the text anew, so the caller may change what `get`
 * gives.
 *
 * `set` throws TypeError for everything else, and names the member. JSON would drop or change it, and a hit would
 * differ from the value that was set. So it refuses a Date, a Map, a Promise, an instance of a class, a function, a
 * symbol, a bigint, NaN, the infinities, -0, a hole of an array, a circle, and a member that is undefined: leave such a
 * member out. `toJSON` is not called. To store what JSON makes of a value, set `JSON.parse(JSON.stringify(value))`, and
 * use that value yourself too.
 *
 * `get` throws CacheError `ERR_CACHE_VALUE` if a client of a server stored something that is not JSON text.
 *
 * Getters and proxies are read once. An object without a prototype comes back as an ordinary one. Members that are not
 * enumerable do not count.
 *
 * @throws {TypeError} by `set`: `value.user.created: expected what JSON gives back as it is …, received an instance of
 * Date`.
 * @example const profiles = cache.keyspace('profiles', { codec: json as Codec<Profile> })
 */
export const json = builtIn<unknown, unknown, unknown>({
  tag: 'json',
  row: undefined,
  encode: (value) => encodeText(exactJson(value)),
  view: (buffer, offset, length) => parsed(decodeText(buffer, offset, length), length),
  own: (buffer) => parsed(decodeText(buffer, 0, buffer.byteLength), buffer.byteLength),
});

function parsed(text: string, length: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Unreadable('JSON text', length, { cause });
  }
}

// Numbers on their way to native code. One array for all would be overwritten if several values are encoded before they
// are stored. An array with a buffer of its own for each number would cost more than storing it.
const NUMBERS_AT_ONCE = 1024; // 8 KiB
let numbers = new Float64Array(NUMBERS_AT_ONCE);
let numbersUsed = 0;

/**
 * Numbers: 8 bytes, float64 in the machine's byte order (little-endian on every supported platform), aligned to 8
 * bytes. NaN, -0 and the infinities come back as they are.
 *
 * `set` throws TypeError for a value that is not a number, such as a bigint or a Number object.
 *
 * @example const scores = cache.keyspace('scores', { codec: number })
 */
export const number = builtIn<number, number, number>({
  tag: 'number',
  sharable: true,
  row: { bytes: 8, array: Float64Array, accepts: (out) => typedArrayName(out) === 'Float64Array' },
  encode(value) {
    if (typeof value !== 'number') throw typeError('value', 'a number', value);
    if (numbersUsed === NUMBERS_AT_ONCE) {
      numbers = new Float64Array(NUMBERS_AT_ONCE);
      numbersUsed = 0;
    }
    numbers[numbersUsed] = value;
    return numbers.subarray(numbersUsed, ++numbersUsed);
  },
  view: (buffer, offset, length) => numberAt(buffer, offset, length),
  own: (buffer) => numberAt(buffer, 0, buffer.byteLength),
});

function numberAt(buffer: ArrayBufferLike, offset: number, length: number): number {
  if (length !== 8) throw new Unreadable('8 bytes', length);
  return new Float64Array(buffer, offset, 1)[0]!;
}

/**
 * The codec of an option: one of ours as it is, or `{ encode, decode, name? }`, wrapped. Reads each property once. An
 * error of a getter is thrown on. @internal
 *
 * @throws {TypeError}  it is neither.
 * @throws {RangeError} `name` is empty, longer than 255 bytes, or has a lone surrogate.
 */
export function resolveCodec(option: unknown): Codec<unknown> {
  if (typeof option === 'object' && option !== null) {
    if (builtIns.has(option)) return option as Codec<unknown>;
    const [encode, decode, name] = ['encode', 'decode', 'name'].map((member) => memberOf(option, member));
    if (typeof encode === 'function' && typeof decode === 'function') {
      const label = name === undefined ? undefined : textOption('options.codec.name', name, 255, 1);
      return custom(label === undefined ? 'custom' : `custom:${label}`, encode.bind(option), decode.bind(option));
    }
  }
  throw typeError('options.codec', 'a codec such as float32(1024), or an object { encode, decode }', option);
}

function custom(
  tag: string,
  encode: (value: unknown) => unknown,
  decode: (bytes: Uint8Array) => unknown,
): Codec<unknown> {
  return builtIn({
    tag,
    row: undefined,
    encode(value) {
      const stored = encode(value);
      if (!isUint8Array(stored)) throw typeError('what encode returned', 'a Uint8Array', stored);
      elementCount(stored);
      return stored;
    },
    view: (buffer, offset, length) => decode(new Uint8Array(buffer, offset, length)),
    own: (buffer) => decode(new Uint8Array(buffer)),
  });
}
