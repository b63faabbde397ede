// fingerprint.ts: one name for each computation. Two computations have the same one exactly if nothing that counts
// differs: scope, domain, model, parameters, input. docs/FINGERPRINT.md specifies it to the byte.

import { isWellFormed, rangeError, typeError } from '../options.js';
import { canonicalText } from './canonical.js';
import { concat, framed, leftEncode, padded, utf8 } from './framing.js';
import type { Hasher, HashState } from './hasher.js';
import { isPlain } from './plain.js';
import { bytesHead, type Nans, NO_NANS, rawBytesOf, type Tensor, tensorHead, tensorOf } from './tensors.js';

/** Of results that everybody may see. It must be written out: results of one tenant are never another's by mistake. */
export const PUBLIC: unique symbol = Symbol.for('zerohop.PUBLIC');

/** Whose results they are: a tenant's name, or {@link PUBLIC}. */
export type Scope = string | typeof PUBLIC;

/** What a computation is done with, but for its input. */
export interface ComputationTerms {
  scope: Scope;
  /** What tells apart uses of one model whose results must not mix. Default `''`. */
  domain?: string;
  /** Name and version of the model, in whatever form: a text, a digest of its weights, an object. */
  model: unknown;
  /** All that changes the result beside the input; `undefined` if there is nothing. */
  params?: unknown;
}

/** A computation: all that its result depends on. */
export interface Computation extends ComputationTerms {
  /**
   * Text, a tensor (a typed array, `{ dtype, shape, data }`, or onnxruntime's), bytes (Uint8Array, Buffer, ArrayBuffer), or
   * any JSON-like value with such within.
   */
  input: unknown;
}

export interface FingerprintOptions {
  /** Makes texts that look the same one, wherever they are. Default: none; each code point counts. */
  normalization?: 'NFC' | 'NFD' | 'NFKC' | 'NFKD';
  /** Names of members of `params`, and of an input that is an object, that do not count. Nothing else is left out. */
  exclude?: readonly string[];
  /** Keep digests of the single fields, for {@link explain}; of a batch none are kept. */
  explain?: boolean;
}

/** Models one after another, whose result at the end is wanted. */
export interface PipelineComputation {
  scope: Scope;
  domain?: string;
  /** Its name. */
  pipeline: string;
  /** As `model` of a {@link Computation}, in order. */
  models: readonly unknown[];
  params?: unknown;
  input: unknown;
}

const DIGEST_BYTES = 32;
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A field's digest, and those of its members if it is an object. */
interface Field {
  readonly digest: string;
  readonly members?: ReadonlyMap<string, string>;
}
type Fields = ReadonlyMap<string, Field>;

/** Of fingerprints that were made with `explain`. */
const fieldsOf = new WeakMap<Fingerprint, Fields>();

/** 32 bytes that name a computation; a key wherever bytes are one. */
export class Fingerprint extends Uint8Array<ArrayBuffer> {
  // What is made of its bytes is no fingerprint. Not by Symbol.species, with which making one takes three times as long.
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return bytesOf(this).slice(start, end);
  }

  override subarray(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return bytesOf(this).subarray(start, end);
  }

  override map(change: (byte: number, i: number, all: this) => number, self?: unknown): Uint8Array<ArrayBuffer> {
    return bytesOf(this).map((byte, i) => change.call(self, byte, i, this));
  }

  override filter(keep: (byte: number, i: number, all: this) => unknown, self?: unknown): Uint8Array<ArrayBuffer> {
    return bytesOf(this).filter((byte, i) => keep.call(self, byte, i, this));
  }

  /** 64 digits. */
  get hex(): string {
    return hexOf(this);
  }

  /** 43 characters. */
  get base64url(): string {
    let text = '';
    for (let i = 0; i < this.length; i += 3) {
      const word = (this[i]! << 16) | ((this[i + 1] ?? 0) << 8) | (this[i + 2] ?? 0);
      const count = Math.min(4, this.length - i + 1);
      for (let digit = 0; digit < count; ++digit) text += BASE64URL[(word >> (18 - 6 * digit)) & 63];
    }
    return text;
  }

  override toString(): string {
    return this.hex;
  }

  toJSON(): string {
    return this.hex;
  }

  /** From 64 digits, or 43 characters of base64url. */
  static parse(text: string): Fingerprint {
    if (typeof text !== 'string') throw typeError('text', 'a string', text);
    const out = newFingerprint();
    if (/^[0-9a-fA-F]{64}$/.test(text)) {
      for (let i = 0; i < DIGEST_BYTES; ++i) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
      return out;
    }
    // Of the last character four bits count; the others are 0, so that there is one text for each.
    if (!/^[\w-]{42}[AEIMQUYcgkosw048]$/.test(text))
      throw rangeError('text', '64 hexadecimal digits, or 43 characters of base64url', text);
    for (let i = 0; i < DIGEST_BYTES; ++i) {
      const bit = 8 * i;
      const at = Math.floor(bit / 6);
      const word = (BASE64URL.indexOf(text[at]!) << 6) | BASE64URL.indexOf(text[at + 1]!);
      out[i] = (word >> (4 - (bit % 6))) & 255;
    }
    return out;
  }
}

const bytesOf = (of: Fingerprint) => new Uint8Array(of.buffer, of.byteOffset, of.length);

/** Fingerprints of a batch, in one piece of memory; each is made into an object when it is asked for. */
export class Fingerprints implements Iterable<Fingerprint> {
  /** 32 bytes of each, in order. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;

  /** @internal */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.length = bytes.length / DIGEST_BYTES;
  }

  at(i: number): Fingerprint | undefined {
    const place = i < 0 ? this.length + i : i;
    if (!(Number.isInteger(place) && place >= 0 && place < this.length)) return undefined;
    return new Fingerprint(this.bytes.buffer, this.bytes.byteOffset + place * DIGEST_BYTES, DIGEST_BYTES);
  }

  *[Symbol.iterator](): Iterator<Fingerprint> {
    for (let i = 0; i < this.length; ++i) yield this.at(i)!;
  }
}

/** In the JavaScript heap, as all small typed arrays are: cheaper than one over memory of its own. @internal */
export function newFingerprint(): Fingerprint {
  return new (Fingerprint as unknown as new (length: number) => Fingerprint)(DIGEST_BYTES);
}

// Node's own way takes a tenth of the time of the loop.
const hexSlice = (
  globalThis as { Buffer?: { prototype: { hexSlice?(this: Uint8Array, start: number, end: number): string } } }
).Buffer?.prototype.hexSlice;

function hexOf(bytes: Uint8Array): string {
  if (hexSlice !== undefined) return hexSlice.call(bytes, 0, bytes.length);
  let text = '';
  for (let i = 0; i < bytes.length; ++i) text += HEX[bytes[i]!];
  return text;
}

const kindOf = (letter: string) => letter.charCodeAt(0);
const TEXT = kindOf('s');
const OBJECT = kindOf('j');
const VERSION = 'zerohop fingerprint 1';
const PIPELINE_VERSION = 'zerohop pipeline 1';
const NO_BYTES = new Uint8Array(0);
const NORMALIZATIONS = ['NFC', 'NFD', 'NFKC', 'NFKD'];

/** Text behind its kind. */
interface TextValue {
  readonly kind: number;
  readonly text: string;
}
/** Data behind a head. */
interface DataValue {
  readonly head: Uint8Array;
  readonly data: Uint8Array;
  /** Of the data, when the head was made. */
  readonly bytes: number;
  readonly nans: Nans;
}

/** An input as it is hashed. @internal */
export type Value = TextValue | DataValue;
/** A batch: texts alone, or values of several kinds. @internal */
export type Batch = { readonly texts: readonly string[] } | { readonly values: readonly Value[] };

/**
 * A fingerprinter for the house itself: making a value of an input may run code of the caller's, hashing it runs none.
 * @internal
 */
export interface Preparation extends Fingerprinter {
  prepare(input: unknown): Value;
  /** The 32 bytes of a fingerprint, into memory that native code may write to. */
  hash(value: Value, out: Uint8Array): void;
  batchOf(inputs: readonly unknown[]): Batch;
  /** 32 bytes of each. */
  hashBatch(batch: Batch, out: Uint8Array): void;
}

/** Fingerprints of computations that differ in their inputs alone: all else is absorbed once. */
export interface Fingerprinter {
  of(input: unknown): Fingerprint;
  /** Of many inputs at once, several side by side where the processor can. */
  many(inputs: readonly unknown[]): Fingerprints;
}

/** The public functions. */
export interface Fingerprinting {
  /**
   * The name of a computation.
   *
   * @throws {TypeError} no scope, no model, no input; a function, a symbol, an instance of a class, an object within itself,
   * a text with a lone surrogate, detached memory: `code` is `ERR_INVALID_ARG_TYPE`.
   * @throws {RangeError} a tensor whose data do not fit its shape, an unknown element type: `code` is `ERR_OUT_OF_RANGE`.
   * Cost: some 2 µs, most of it for what is the same in each call: see `fingerprinter`.
   */
  fingerprint(computation: Computation, options?: FingerprintOptions): Fingerprint;
  /** Prepares fingerprints of many computations of one model; errors as `fingerprint`. */
  fingerprinter(terms: ComputationTerms, options?: FingerprintOptions): Fingerprinter;
  /** The names of computations with the same terms, and these inputs; errors as `fingerprint`. */
  fingerprintMany(inputs: readonly unknown[], terms: ComputationTerms, options?: FingerprintOptions): Fingerprints;
  /**
   * The name of what models one after another make of an input: another if any of them is, or their order. Errors as
   * `fingerprint`; RangeError if there is no model.
   */
  pipelineFingerprint(computation: PipelineComputation, options?: FingerprintOptions): Fingerprint;
}

/** The public functions over a hasher. @internal */
export function createFingerprinting<State extends HashState>(
  hasher: Hasher<State>,
): Omit<Fingerprinting, 'fingerprinter'> & {
  fingerprinter(terms: ComputationTerms, options?: FingerprintOptions): Preparation;
  pipelineFingerprinter(terms: Omit<PipelineComputation, 'input'>, options?: FingerprintOptions): Preparation;
} {
  const empty = hasher.start(NO_BYTES);
  // Native code writes here, since memory in the JavaScript heap moves.
  const scratch = new Uint8Array(new ArrayBuffer(DIGEST_BYTES));

  function digest(data: Uint8Array, nans: Nans = NO_NANS): Uint8Array {
    hasher.data(empty, NO_BYTES, data, nans, scratch);
    return scratch.slice();
  }

  const digestHex = (of: Uint8Array | Tensor) =>
    hexOf(of instanceof Uint8Array ? digest(of) : digest(of.bytes, of.nans));

  /** What the options make of texts and members. */
  class Rules {
    readonly #normalization: string | undefined;
    /** Names, normalized. */
    readonly excluded: ReadonlySet<string>;
    readonly digest = digestHex;

    constructor(options: FingerprintOptions) {
      if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options);
      const { normalization, exclude } = options;
      if (normalization !== undefined && !NORMALIZATIONS.includes(normalization))
        throw rangeError('options.normalization', `one of ${NORMALIZATIONS.join(', ')}`, normalization);
      if (exclude !== undefined && !(Array.isArray(exclude) && exclude.every((name) => typeof name === 'string')))
        throw typeError('options.exclude', 'an array of names', exclude);
      this.#normalization = normalization;
      this.excluded = new Set(exclude?.map((name) => this.text(name)));
    }

    text(text: string): string {
      return this.#normalization === undefined ? text : text.normalize(this.#normalization);
    }

    valueOf(value: unknown, path: string): Value {
      if (typeof value === 'string') {
        if (!isWellFormed(value)) throw typeError(path, 'text without lone surrogates', value);
        return { kind: TEXT, text: this.text(value) };
      }
      if (typeof value === 'object' && value !== null) {
        const tensor = tensorOf(value, path);
        if (tensor !== undefined) return dataValue(tensorHead(tensor), tensor.bytes, tensor.nans);
        const bytes = rawBytesOf(value, path);
        if (bytes !== undefined) return dataValue(bytesHead(bytes), bytes, NO_NANS);
      }
      return { kind: OBJECT, text: canonicalText(value, path, this, this.excluded) };
    }

    /** The value as bytes, for what all inputs begin with; data by their digests, as within objects. */
    bytesOf(value: unknown, path: string, excluded?: ReadonlySet<string>): Uint8Array {
      if (typeof value !== 'string') return this.#framedText(OBJECT, canonicalText(value, path, this, excluded));
      if (!isWellFormed(value)) throw typeError(path, 'text without lone surrogates', value);
      return this.#framedText(TEXT, this.text(value));
    }

    #framedText(kind: number, text: string): Uint8Array {
      return concat([Uint8Array.of(kind), framed(utf8(text))]);
    }

    /** What `explain` compares. */
    fieldOf(value: unknown, path: string, excluded?: ReadonlySet<string>): Field {
      const whole = hexOf(digest(this.bytesOf(value, path, excluded)));
      if (typeof value !== 'object' || value === null) return { digest: whole };
      if (!(Array.isArray(value) || (isPlain(value) && tensorOf(value, path) === undefined))) return { digest: whole };
      const members = new Map<string, string>();
      for (const [name, each] of Object.entries(value))
        if (excluded?.has(this.text(name)) !== true)
          members.set(name, hexOf(digest(this.bytesOf(each, `${path}.${name}`))));
      return { digest: whole, members };
    }
  }

  /** What all inputs of a computation begin with. */
  function partsOf(terms: ComputationTerms, rules: Rules): [string, Uint8Array][] {
    if (typeof terms !== 'object' || terms === null)
      throw typeError('computation', 'an object with scope, model and input', terms);
    const { scope, domain, model, params } = terms;
    if (model === undefined) throw typeError('model', "the model's name and version", model);
    return [
      ['version', framed(utf8(VERSION))],
      ['scope', scopeOf(scope)],
      ['domain', nameOf(domain === undefined ? '' : domain, 'domain')],
      ['model', rules.bytesOf(model, 'model')],
      ['params', rules.bytesOf(params, 'params', rules.excluded)],
    ];
  }

  function hashInto(state: State, value: Value, path: string, out: Uint8Array): void {
    if ('head' in value) {
      checkLength(value, path);
      hasher.data(state, value.head, value.data, value.nans, out);
    } else if (!hasher.text(state, value.kind, value.text, out))
      throw typeError(path, 'text without lone surrogates', value.text);
  }

  class Prepared implements Preparation {
    readonly #rules: Rules;
    readonly #state: State;
    readonly #fields: Fields | undefined;

    constructor(parts: readonly [string, Uint8Array][], terms: object, rules: Rules, explained: boolean) {
      this.#rules = rules;
      this.#state = hasher.start(padded(concat(parts.map(([, bytes]) => bytes))));
      if (!explained) return;
      this.#fields = new Map(
        parts.map(([name, bytes]): [string, Field] => {
          if (name !== 'model' && name !== 'models' && name !== 'params')
            return [name, { digest: hexOf(digest(bytes)) }];
          const excluded = name === 'params' ? rules.excluded : undefined;
          return [name, rules.fieldOf((terms as Record<string, unknown>)[name], name, excluded)];
        }),
      );
    }

    prepare(input: unknown): Value {
      return this.#rules.valueOf(input, 'input');
    }

    hash(value: Value, out: Uint8Array): void {
      hashInto(this.#state, value, 'input', out);
    }

    of(input: unknown): Fingerprint {
      this.hash(this.prepare(input), scratch);
      const out = newFingerprint();
      out.set(scratch);
      if (this.#fields !== undefined)
        fieldsOf.set(
          out,
          new Map([...this.#fields, ['input', this.#rules.fieldOf(input, 'input', this.#rules.excluded)]]),
        );
      return out;
    }

    many(inputs: readonly unknown[]): Fingerprints {
      const batch = this.batchOf(inputs);
      const out = new Uint8Array(new ArrayBuffer(inputs.length * DIGEST_BYTES));
      this.hashBatch(batch, out);
      return new Fingerprints(out);
    }

    batchOf(inputs: readonly unknown[]): Batch {
      if (!Array.isArray(inputs)) throw typeError('inputs', 'an array', inputs);
      for (let i = 0; i < inputs.length; ++i)
        if (typeof inputs[i] !== 'string')
          return { values: Array.from(inputs, (input, i) => this.#rules.valueOf(input, `inputs[${i}]`)) };
      return { texts: (inputs as readonly string[]).map((text) => this.#rules.text(text)) };
    }

    hashBatch(batch: Batch, out: Uint8Array): void {
      if ('values' in batch) {
        this.#hashValues(batch.values, out);
        return;
      }
      const malformed = hasher.texts(this.#state, batch.texts, out);
      if (malformed >= 0)
        throw typeError(`inputs[${malformed}]`, 'text without lone surrogates', batch.texts[malformed]);
    }

    #hashValues(values: readonly Value[], out: Uint8Array): void {
      // What has the same NaNs goes together; texts of their own kinds one by one.
      const groups = new Map<Nans, number[]>();
      for (const [i, value] of values.entries()) {
        if ('text' in value) hashInto(this.#state, value, `inputs[${i}]`, out.subarray(32 * i, 32 * i + 32));
        else if (groups.has(value.nans)) groups.get(value.nans)!.push(i);
        else groups.set(value.nans, [i]);
      }
      for (const [nans, places] of groups) {
        const of = places.map((i) => values[i] as DataValue);
        // Making a name of one input may have run code of the caller's, which took the memory of another.
        for (const [n, i] of places.entries()) checkLength(of[n]!, `inputs[${i}]`);
        const digests = places.length === values.length ? out : new Uint8Array(places.length * DIGEST_BYTES);
        hasher.manyData(
          this.#state,
          of.map(({ head }) => head),
          of.map(({ data }) => data),
          nans,
          digests,
        );
        if (digests === out) return;
        for (const [n, i] of places.entries()) out.set(digests.subarray(32 * n, 32 * n + 32), 32 * i);
      }
    }
  }

  function fingerprinter(terms: ComputationTerms, options: FingerprintOptions = {}): Preparation {
    const rules = new Rules(options);
    return new Prepared(partsOf(terms, rules), terms, rules, options.explain === true);
  }

  return {
    fingerprinter,
    fingerprint: (computation, options) => fingerprinter(computation, options).of(inputOf(computation)),
    fingerprintMany: (inputs, terms, options) => fingerprinter(terms, options).many(inputs),
    pipelineFingerprinter,
    pipelineFingerprint: (computation, options) => pipelineFingerprinter(computation, options).of(inputOf(computation)),
  };

  function pipelineFingerprinter(
    terms: Omit<PipelineComputation, 'input'>,
    options: FingerprintOptions = {},
  ): Preparation {
    if (typeof terms !== 'object' || terms === null)
      throw typeError('computation', 'an object with scope, pipeline, models and input', terms);
    const { scope, domain, pipeline, models, params } = terms;
    if (!Array.isArray(models)) throw typeError('models', 'an array', models);
    if (models.length === 0) throw rangeError('models', 'one at least', models);
    const rules = new Rules(options);
    const parts: [string, Uint8Array][] = [
      ['version', framed(utf8(PIPELINE_VERSION))],
      ['scope', scopeOf(scope)],
      ['domain', nameOf(domain === undefined ? '' : domain, 'domain')],
      ['pipeline', nameOf(pipeline, 'pipeline')],
      ['models', concat([leftEncode(models.length), ...models.map((one, i) => modelOf(one, i, rules))])],
      ['params', rules.bytesOf(params, 'params', rules.excluded)],
    ];
    return new Prepared(parts, terms, rules, options.explain === true);
  }

  function modelOf(model: unknown, i: number, rules: Rules): Uint8Array {
    if (model === undefined) throw typeError(`models[${i}]`, "the model's name and version", model);
    return rules.bytesOf(model, `models[${i}]`);
  }
}

function dataValue(head: Uint8Array, data: Uint8Array, nans: Nans): DataValue {
  return { head, data, bytes: data.length, nans };
}

function checkLength({ data, bytes }: DataValue, path: string): void {
  if (data.length !== bytes) throw typeError(path, 'memory that stays while it is hashed', data);
}

function inputOf(computation: { input?: unknown }): unknown {
  if (!('input' in computation)) throw typeError('input', 'an input', undefined);
  return computation.input;
}

function scopeOf(scope: unknown): Uint8Array {
  if (scope === PUBLIC) return utf8('p');
  if (typeof scope !== 'string') throw typeError('scope', "a tenant's name or PUBLIC", scope);
  return concat([utf8('n'), nameOf(scope, 'scope')]);
}

function nameOf(name: unknown, path: string): Uint8Array {
  if (typeof name !== 'string' || !isWellFormed(name)) throw typeError(path, 'text without lone surrogates', name);
  return framed(utf8(name));
}

/**
 * The fields in which two computations differ, such as `params.temperature`: `[]` if in none.
 *
 * @throws {TypeError} one of them was not made with `explain: true`.
 */
export function explain(a: Fingerprint, b: Fingerprint): string[] {
  const [of, other] = [a, b].map((one, i) => {
    const fields = one instanceof Fingerprint ? fieldsOf.get(one) : undefined;
    if (fields === undefined)
      throw typeError(i === 0 ? 'a' : 'b', 'a Fingerprint that was made with { explain: true }', one);
    return fields;
  }) as [Fields, Fields];
  const names = new Set([...of.keys(), ...other.keys()]);
  return [...names].flatMap((name) => differing(name, of.get(name), other.get(name))).sort();
}

function differing(name: string, of: Field | undefined, other: Field | undefined): string[] {
  if (of?.digest === other?.digest) return [];
  if (of?.members === undefined || other?.members === undefined) return [name];
  const members = [...new Set([...of.members.keys(), ...other.members.keys()])].filter(
    (member) => of.members!.get(member) !== other.members!.get(member),
  );
  return members.length === 0 ? [name] : members.map((member) => `${name}.${member}`);
}
