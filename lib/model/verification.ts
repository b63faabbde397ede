// verification.ts: computes a sample of hits again, and compares the results with those that were served. This finds a
// model that does not give the same result twice, or that changed without a new version. Its results are then not used
// any more.

import { channel } from 'node:diagnostics_channel';
import { typedArrayName } from '../base/kinds.js';
import { type Checked, countOption, optionsObject, rangeError, typeError } from '../base/options.js';
import type { Codec } from '../cache/codecs.js';

/**
 * When two results are the same. `'bitwise'`: every stored byte is equal. `'top-1'`: the greatest element is at the
 * same place. `tolerance`: no element differs by more. `cosine`: the cosine of the angle between them is at least this.
 */
export type Comparison<T = unknown> =
  | 'bitwise'
  | 'top-1'
  | { tolerance: number }
  | { cosine: number }
  | ((served: T, computed: T) => boolean);

export interface VerifyOptions {
  /** The share of hits that are computed again, 0 to 1. */
  rate: number;
  /** Default `'bitwise'`. */
  compare?: Comparison<never> | undefined;
  /** If the share of mismatches is greater, the model is not trusted any more. Default 0.01. */
  bound?: number | undefined;
  /** How many hits must be compared before that share counts. Default 20. */
  after?: number | undefined;
}

/** What `diagnostics_channel.channel('zerohop:mismatch')` publishes for each hit that differs from a new result. */
export interface MismatchEvent {
  model: string;
  version: string;
  /** In hex. */
  fingerprint: string;
  verified: number;
  mismatches: number;
  /** True: with this one there are too many. The model's results are forgotten, and from now on it runs each time. */
  distrusted: boolean;
}

const mismatches = channel('zerohop:mismatch');

const VERIFY_OPTIONS = ['rate', 'compare', 'bound', 'after'] as const;
const BOUND = 0.01;
const AFTER = 20;

function share(name: string, value: unknown): number {
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!(value >= 0 && value <= 1)) throw rangeError(name, '0 to 1', value);
  return value;
}

/** A copy, which nobody changes later. Undefined: no hit is computed again. @internal */
export function verifyOption(name: string, value: unknown, replicas: unknown): Checked<VerifyOptions> | undefined {
  if (value === undefined) return undefined;
  const options = verifyOptions(name, typeof value === 'number' ? { rate: share(name, value) } : value);
  if (replicas !== undefined && replicas !== 1)
    throw rangeError(name, 'a model without replicas: one that draws is not expected to give the same twice', value);
  return value === 0 ? undefined : options;
}

function verifyOptions(name: string, value: unknown): Checked<VerifyOptions> {
  const { rate, compare, bound, after } = optionsObject(name, value, VERIFY_OPTIONS);
  return {
    rate: share(`${name}.rate`, rate),
    compare: comparisonOption(`${name}.compare`, compare ?? 'bitwise'),
    bound: bound === undefined ? BOUND : share(`${name}.bound`, bound),
    after: after === undefined ? AFTER : countOption(`${name}.after`, after, 1, 2 ** 31),
  };
}

/** A copy, which nobody changes later. @internal */
export function comparisonOption(name: string, compare: unknown): Comparison<never> {
  if (compare === 'bitwise' || compare === 'top-1') return compare;
  if (typeof compare === 'function') return compare as Comparison<never>;
  const { tolerance, cosine } = optionsObject(name, compare, ['tolerance', 'cosine']);
  const limit = tolerance ?? cosine;
  if (typeof limit !== 'number' || (tolerance !== undefined && cosine !== undefined))
    throw typeError(name, "'bitwise', 'top-1', { tolerance }, { cosine } or a function", compare);
  if (!(limit >= 0 && (cosine === undefined || limit <= 1)))
    throw rangeError(name, 'a tolerance of 0 or more, or a cosine of 0 to 1', limit);
  return tolerance === undefined ? { cosine: limit } : { tolerance: limit };
}

/** Whether two results are the same by the comparison. Results that cannot be compared are not. @internal */
export function agree<T>(
  compare: Comparison<never>,
  codec: Codec<T, unknown, unknown>,
  served: T,
  computed: T,
): boolean {
  try {
    return compares(compare, codec, served, computed);
  } catch {
    return false;
  }
}

function compares<T>(compare: Comparison<never>, codec: Codec<T, unknown, unknown>, served: T, computed: T): boolean {
  if (typeof compare === 'function') return (compare as (served: T, computed: T) => boolean)(served, computed);
  if (compare === 'bitwise') return sameBytes(codec, served, computed);
  const [a, b] = [numbersOf(served), numbersOf(computed)];
  if (a.length !== b.length) return false;
  if (compare === 'top-1') return greatest(a) === greatest(b);
  if (isTolerance(compare)) return a.every((one, i) => one === b[i] || Math.abs(one - b[i]!) <= compare.tolerance);
  return cosineOf(a, b) >= compare.cosine;
}

const isTolerance = (compare: object): compare is { tolerance: number } => Object.hasOwn(compare, 'tolerance');

function sameBytes<T>(codec: Codec<T, unknown, unknown>, served: T, computed: T): boolean {
  // A custom codec may write the second result over the first.
  const first = Buffer.from(bytesOf(codec.encode(served)));
  return first.equals(bytesOf(codec.encode(computed)));
}

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function numbersOf(value: unknown): readonly number[] {
  if (typeof value === 'number') return [value];
  if (Array.isArray(value) || typedArrayName(value) !== undefined)
    return Array.from(value as ArrayLike<number>, Number);
  throw typeError('result', 'numbers, for a comparison by tolerance, cosine or top-1', value);
}

const greatest = (of: readonly number[]) => of.reduce((best, one, i) => (one > of[best]! ? i : best), 0);

function cosineOf(a: readonly number[], b: readonly number[]): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (const [i, one] of a.entries()) {
    dot += one * b[i]!;
    aa += one * one;
    bb += b[i]! * b[i]!;
  }
  if (aa === 0 || bb === 0) return aa === bb ? 1 : 0;
  return dot / Math.sqrt(aa * bb);
}

/** Chooses the hits that are computed again, and counts mismatches. @internal */
export class Verification<In> {
  readonly #options: Checked<VerifyOptions>;
  readonly #codec: Codec<In, unknown, unknown>;
  readonly #model: { name: string; version: string };
  verified = 0;
  mismatches = 0;
  distrusted = false;

  constructor(
    options: Checked<VerifyOptions>,
    codec: Codec<In, unknown, unknown>,
    model: { name: string; version: string },
  ) {
    this.#options = options;
    this.#codec = codec;
    this.#model = model;
  }

  /** Whether to compute this hit again. */
  draws(): boolean {
    return !this.distrusted && Math.random() < this.#options.rate;
  }

  /** Counts a comparison. `distrusts`: from now on the model is not trusted. */
  compare(fingerprint: string, served: In, computed: In): { differs: boolean; distrusts: boolean } {
    this.verified++;
    if (agree(this.#options.compare, this.#codec, served, computed)) return { differs: false, distrusts: false };
    this.mismatches++;
    const { bound, after } = this.#options;
    const passed = !this.distrusted && this.verified >= after && this.mismatches > bound * this.verified;
    if (passed) this.distrusted = true;
    if (mismatches.hasSubscribers)
      mismatches.publish({
        model: this.#model.name,
        version: this.#model.version,
        fingerprint,
        verified: this.verified,
        mismatches: this.mismatches,
        distrusted: passed,
      } satisfies MismatchEvent);
    return { differs: true, distrusts: passed };
  }

  /** Starts again from the beginning. */
  trust(): void {
    this.verified = 0;
    this.mismatches = 0;
    this.distrusted = false;
  }
}
