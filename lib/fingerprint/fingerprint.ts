// fingerprint.ts: one name for each computation. Two computations have the same name if, and only if, everything that
// counts is the same: scope, domain, model, parameters, input. docs/FINGERPRINT.md specifies it to the byte.

import { isWellFormed, rangeError, typeError } from '../base/options.js';
import { type Fields, fieldsOf } from './explain.js';
import { concat, framed, leftEncode, padded, utf8 } from './framing.js';
import type { Hasher, HashState } from './hasher.js';
import { DIGEST_BYTES, type Fingerprint, Fingerprints, hexOf, newFingerprint } from './names.js';
import { checkLength, type FingerprintOptions, ownMember, Rules, TEXT, type Value } from './rules.js';
import { type Nans, NO_NANS } from './tensors.js';

export { explain } from './explain.js';
export { Fingerprint, Fingerprints } from './names.js';
export type { FingerprintOptions, Value } from './rules.js';

/** The scope of results that everybody may see. It must be given, so that no tenant's results are public by mistake. */
export const PUBLIC: unique symbol = Symbol.for('zerohop.PUBLIC');

/** Whose results they are: a tenant's name, or {@link PUBLIC}. */
export type Scope = string | typeof PUBLIC;

/** Everything on which a computation depends, without its input. */
export interface ComputationIdentity {
  scope: Scope;
  /** Separates uses of one model whose results must not mix. Default `''`. */
  domain?: string | undefined;
  /** Name and version of the model, in any form: a text, a digest of its weights, an object. */
  model: unknown;
  /** Everything else that changes the result beside the input; `undefined` if there is nothing. */
  params?: unknown;
}

/** A computation: everything on which its result depends. */
export interface Computation extends ComputationIdentity {
  /**
   * Text, a tensor (a typed array, `{ dtype, shape, data }`, or onnxruntime's), bytes (Uint8Array, Buffer,
   * ArrayBuffer), or any JSON-like value that contains these.
   */
  input: unknown;
}

/** Models one after another, of which the last result is wanted. */
export interface PipelineComputation {
  scope: Scope;
  domain?: string | undefined;
  /** Its name. */
  pipeline: string;
  /** As `model` of a {@link Computation}, in order. */
  models: readonly unknown[];
  params?: unknown;
  input: unknown;
}

const VERSION = 'zerohop fingerprint 1';
const PIPELINE_VERSION = 'zerohop pipeline 1';
const NO_BYTES = new Uint8Array(0);

/** A batch: only texts, only typed arrays and DataViews, or values of several kinds. @internal */
export type Batch =
  | { readonly texts: readonly string[] }
  | { readonly views: readonly ArrayBufferView[] }
  | { readonly values: readonly Value[] };

/**
 * A fingerprinter for other rooms. Preparing an input may run the caller's code; hashing it runs none.
 * @internal
 */
export interface Preparation extends Fingerprinter {
  /** @param path  the input's name in errors */
  prepare(input: unknown, path?: string): Value;
  /** Writes the 32 bytes of a fingerprint to memory that native code may write to. */
  hash(value: Value, out: Uint8Array): void;
  /** Reads the array's length and each input once. */
  batchOf(inputs: readonly unknown[]): Batch;
  /** 32 bytes for each. */
  hashBatch(batch: Batch, out: Uint8Array): void;
}

/** Makes fingerprints of computations that differ only in their inputs. Everything else is absorbed once. */
export interface Fingerprinter {
  of(input: unknown): Fingerprint;
  /** The fingerprints of many inputs. The processor hashes several side by side if it can. */
  many(inputs: readonly unknown[]): Fingerprints;
}

/** The public functions. */
export interface Fingerprinting {
  /**
   * The name of a computation.
   *
   * @throws {TypeError} `code` is `ERR_INVALID_ARG_TYPE`: there is no scope, model or input; or there is a function, a
   *   symbol, an instance of a class, an object that contains itself, a text with a lone surrogate, or detached memory.
   * @throws {RangeError} `code` is `ERR_OUT_OF_RANGE`: the data of a tensor do not fit its shape, its element type is
   *   unknown, or it has more than 64 dimensions; or there are more values or levels than `maxNodes` and `maxDepth`.
   * Cost: some 2 µs, most of it for what is the same in each call: see `fingerprinter`. JSON takes one to three times
   * as long as JSON.stringify, and SHA3-256 of it.
   */
  fingerprint(computation: Computation, options?: FingerprintOptions): Fingerprint;
  /** Prepares fingerprints of many computations of one model. Throws as `fingerprint` does. */
  fingerprinter(identity: ComputationIdentity, options?: FingerprintOptions): Fingerprinter;
  /** The fingerprints of computations that differ only in their inputs. Throws as `fingerprint` does. */
  fingerprintMany(
    inputs: readonly unknown[],
    identity: ComputationIdentity,
    options?: FingerprintOptions,
  ): Fingerprints;
  /**
   * The fingerprint of an input that goes through models one after another. Another model, or another order, gives
   * another fingerprint. Throws as `fingerprint` does, and RangeError if there is no model.
   */
  pipelineFingerprint(computation: PipelineComputation, options?: FingerprintOptions): Fingerprint;
}

/** The public functions over a hasher. @internal */
export function createFingerprinting<State extends HashState>(
  hasher: Hasher<State>,
): Omit<Fingerprinting, 'fingerprinter'> & {
  fingerprinter(identity: ComputationIdentity, options?: FingerprintOptions): Preparation;
  pipelineFingerprinter(identity: Omit<PipelineComputation, 'input'>, options?: FingerprintOptions): Preparation;
} {
  const empty = hasher.start(NO_BYTES);
  // Native code writes here, because memory in the JavaScript heap moves.
  const scratch = new Uint8Array(new ArrayBuffer(DIGEST_BYTES));

  function digest(data: Uint8Array, nans: Nans = NO_NANS): Uint8Array {
    hasher.data(empty, NO_BYTES, data, nans, scratch);
    return scratch.slice();
  }

  /** The start that all inputs of a computation share. */
  function partsOf(identity: object, { forIdentity: rules }: Rules): Part[] {
    const given = (name: string) => ownMember(identity, name);
    const model = given('model');
    const params = given('params');
    return [
      { name: 'version', bytes: framed(utf8(VERSION)) },
      { name: 'scope', bytes: scopeOf(given('scope')) },
      { name: 'domain', bytes: nameOf(ownMember(identity, 'domain', ''), 'domain') },
      { name: 'model', bytes: modelOf(model, 'model', rules), value: model },
      { name: 'params', bytes: rules.bytesOf(params, () => 'params', rules.excluded), value: params },
    ];
  }

  function hashInto(state: State, value: Value, path: () => string, out: Uint8Array): void {
    if ('head' in value) {
      checkLength(value, path);
      hasher.data(state, value.head, value.data, value.nans, out);
    } else if (!hasher.text(state, TEXT, value.text, out))
      throw typeError(path(), 'text without lone surrogates', value.text);
  }

  class Prepared implements Preparation {
    readonly #rules: Rules;
    readonly #state: State;
    readonly #fields: Fields | undefined;

    constructor(parts: readonly Part[], rules: Rules) {
      this.#rules = rules;
      this.#state = hasher.start(padded(concat(parts.map(({ bytes }) => bytes))));
      if (!rules.explain) return;
      const { forIdentity } = rules;
      this.#fields = new Map(
        parts.map(({ name, bytes, value }) => {
          const excluded = name === 'params' ? rules.excluded : undefined;
          return [
            name,
            value === undefined ? { digest: hexOf(digest(bytes)) } : forIdentity.fieldOf(value, name, excluded),
          ];
        }),
      );
    }

    prepare(input: unknown, path = 'input'): Value {
      return this.#rules.valueOf(input, () => path);
    }

    hash(value: Value, out: Uint8Array): void {
      hashInto(this.#state, value, () => 'input', out);
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
      const out = new Uint8Array(new ArrayBuffer(lengthOf(batch) * DIGEST_BYTES));
      this.hashBatch(batch, out);
      return new Fingerprints(out);
    }

    batchOf(inputs: readonly unknown[]): Batch {
      if (!Array.isArray(inputs)) throw typeError('inputs', 'an array', inputs);
      const { length } = inputs;
      const texts: string[] = [];
      const views: ArrayBufferView[] = [];
      for (let i = 0; i < length; ++i) {
        const input = inputAt(inputs, i);
        if (typeof input === 'string' && i === texts.length) texts.push(this.#rules.text(input));
        else if (i === views.length && ArrayBuffer.isView(input)) views.push(input);
        else return { values: this.#valuesOf(inputs, length, texts.length > 0 ? texts : views, input) };
      }
      return views.length > 0 ? { views } : { texts };
    }

    /** Prepares a batch from its first inputs, which were read, and the one behind them, which is of another kind. */
    #valuesOf(inputs: readonly unknown[], length: number, read: readonly unknown[], another: unknown): Value[] {
      const values = read.map((input, i) => this.#valueAt(input, i));
      values.push(this.#valueAt(another, values.length));
      for (let i = values.length; i < length; ++i) values.push(this.#valueAt(inputAt(inputs, i), i));
      return values;
    }

    #valueAt(input: unknown, i: number): Value {
      return this.#rules.valueOf(input, () => `inputs[${i}]`);
    }

    hashBatch(batch: Batch, out: Uint8Array): void {
      if ('values' in batch) this.#hashValues(batch.values, out);
      else if ('texts' in batch) this.#hashTexts(batch.texts, out);
      else if (!hasher.views(this.#state, batch.views, out))
        this.#hashValues(
          batch.views.map((view, i) => this.#valueAt(view, i)),
          out,
        );
    }

    #hashTexts(texts: readonly string[], out: Uint8Array): void {
      const malformed = hasher.texts(this.#state, texts, out);
      if (malformed >= 0) throw typeError(`inputs[${malformed}]`, 'text without lone surrogates', texts[malformed]);
    }

    #hashValues(values: readonly Value[], out: Uint8Array): void {
      // Data with the same kind of NaNs are hashed together. Texts among them are hashed one by one.
      const groups = new Map<Nans, number[]>();
      for (const [i, value] of values.entries()) {
        if ('text' in value) hashInto(this.#state, value, () => `inputs[${i}]`, out.subarray(32 * i, 32 * i + 32));
        else if (groups.has(value.nans)) groups.get(value.nans)!.push(i);
        else groups.set(value.nans, [i]);
      }
      for (const [nans, places] of groups) {
        const of = places.map((i) => values[i] as Exclude<Value, { text: string }>);
        // Preparing one input may have run the caller's code, which may have detached the memory of another one.
        for (const [n, i] of places.entries()) checkLength(of[n]!, () => `inputs[${i}]`);
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

  function fingerprinter(identity: ComputationIdentity, options: FingerprintOptions = {}): Preparation {
    if (typeof identity !== 'object' || identity === null)
      throw typeError('computation', 'an object with scope, model and input', identity);
    const rules = new Rules(options, digest);
    return new Prepared(partsOf(identity, rules), rules);
  }

  return {
    fingerprinter,
    fingerprint: (computation, options) => fingerprinter(computation, options).of(inputOf(computation)),
    fingerprintMany: (inputs, identity, options) => fingerprinter(identity, options).many(inputs),
    pipelineFingerprinter,
    pipelineFingerprint: (computation, options) => pipelineFingerprinter(computation, options).of(inputOf(computation)),
  };

  function pipelineFingerprinter(
    identity: Omit<PipelineComputation, 'input'>,
    options: FingerprintOptions = {},
  ): Preparation {
    if (typeof identity !== 'object' || identity === null)
      throw typeError('computation', 'an object with scope, pipeline, models and input', identity);
    const given = (name: string) => ownMember(identity, name);
    const models = given('models');
    if (!Array.isArray(models)) throw typeError('models', 'an array', models);
    if (models.length === 0) throw rangeError('models', 'one at least', models);
    const rules = new Rules(options, digest);
    const all: unknown[] = [...models];
    const params = given('params');
    const { forIdentity } = rules;
    const stages = all.map((one, i) => modelOf(one, `models[${i}]`, forIdentity));
    const parts: Part[] = [
      { name: 'version', bytes: framed(utf8(PIPELINE_VERSION)) },
      { name: 'scope', bytes: scopeOf(given('scope')) },
      { name: 'domain', bytes: nameOf(ownMember(identity, 'domain', ''), 'domain') },
      { name: 'pipeline', bytes: nameOf(given('pipeline'), 'pipeline') },
      { name: 'models', bytes: concat([leftEncode(all.length), ...stages]), value: all },
      { name: 'params', bytes: forIdentity.bytesOf(params, () => 'params', rules.excluded), value: params },
    ];
    return new Prepared(parts, rules);
  }
}

/** A field of the start that all inputs share. `value`: what it was made of, if that has members. */
interface Part {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly value?: unknown;
}

function modelOf(model: unknown, path: string, rules: Rules): Uint8Array {
  if (model === undefined) throw typeError(path, "the model's name and version", model);
  return rules.bytesOf(model, () => path);
}

function lengthOf(batch: Batch): number {
  if ('values' in batch) return batch.values.length;
  return 'texts' in batch ? batch.texts.length : batch.views.length;
}

/** Refuses holes. If an array has nothing but its length, the first hole is the mistake. */
function inputAt(inputs: readonly unknown[], i: number): unknown {
  const input = inputs[i];
  if (input === undefined && !Object.hasOwn(inputs, i)) throw typeError(`inputs[${i}]`, 'an input, not a hole', input);
  return input;
}

function inputOf(computation: object): unknown {
  if (!Object.hasOwn(computation, 'input')) throw typeError('input', 'an input', undefined);
  return ownMember(computation, 'input');
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
