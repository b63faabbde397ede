// results.ts: what `run` gives for its inputs, read and judged. In the place of a result there may be
//
//   an Error                                          fails that input
//   what `Promise.allSettled` gives for it            fails that input, or has the result in it
//   what `result(value, { ttl, cost, tags, … })` gave the result, and how it is to be kept
//   anything else                                     the result
//
// `result` is a wrapper of our own, because a model of JSON may give any object as a result, also one with a member
// `value`. Such a model may give what looks like one of `Promise.allSettled` too: wrapped in `result`, it is kept as it
// is. Each place is judged by itself: what a result means must not depend on what else is in its batch.

import { CacheError } from '../base/errors.js';
import { hasPlainPrototype, isError, isThenable, typedArrayName } from '../base/kinds.js';
import {
  booleanOption,
  costOption,
  type Duration,
  type DurationText,
  durationOption,
  optionsObject,
  received,
  tagsOption,
} from '../base/options.js';
import type { Codec } from '../cache/codecs.js';

/** How a result is kept. */
export interface ResultOptions<Text extends string = DurationText> {
  /** How long it may be served. Default: the model's `ttl`, shortened by its `ttlJitter`. */
  ttl?: Duration<Text> | undefined;
  /** What computing it again would take, in ms. Default: the time of the run, divided by the inputs it computed. */
  cost?: number | undefined;
  /** By these `invalidateByTag` forgets it, as by those that the model's `tags` gives; at most 16 together. */
  tags?: readonly string[] | undefined;
  /**
   * False: it was not computed. Another cache had it. Then it counts as an `upstreamHits`, not as `computed`, and the
   * time of the run is not its cost. Default true.
   */
  computed?: boolean | undefined;
}

const RESULT_OPTIONS = ['ttl', 'cost', 'tags', 'computed'] as const;

/** How a result is kept, checked. */
export interface ResultTerms {
  readonly ttlMs: number | undefined;
  readonly cost: number | undefined;
  readonly tags: readonly string[];
  readonly computed: boolean;
}

/** Registered, so that another copy of the library knows its results. */
const TERMS: unique symbol = Symbol.for('zerohop.ModelResult') as never;

/** A result with how it is kept. Made by {@link result}. */
export interface ModelResult<T> {
  readonly value: T;
  /** Tells it from results that have a member `value` of their own. */
  readonly [TERMS]: ResultTerms;
}

/**
 * For `run` and `runOne`: a result, and how it is kept.
 *
 * @throws {TypeError | RangeError} an option is of the wrong type, unknown, or out of range.
 * @example run: async (ids) => (await lookUp(ids)).map((found) => result(found.vector, { ttl: found.expiresInMs }))
 */
export function result<T, Text extends string = DurationText>(value: T, options?: ResultOptions<Text>): ModelResult<T> {
  const { ttl, cost, tags, computed } = optionsObject('options', options, RESULT_OPTIONS);
  const terms: ResultTerms = {
    ttlMs: ttl === undefined ? undefined : durationOption('options.ttl', ttl),
    cost: cost === undefined ? undefined : costOption('options.cost', cost),
    tags: tags === undefined ? [] : tagsOption('options.tags', tags),
    computed: computed === undefined || booleanOption('options.computed', computed),
  };
  return Object.freeze({ value, [TERMS]: terms });
}

/** What may stand in the place of a result. */
export type RunResult<In> = In | Error | ModelResult<In> | PromiseSettledResult<In | ModelResult<In>>;

/** What `run` gives. */
export type Results<In> = readonly RunResult<In>[];

/** The result of one input. @internal */
export interface Given<In> {
  readonly value: In;
  /** What it is, for errors: `run of m, result 0`. Made when it is needed: a run has many results. */
  readonly name: () => string;
  /** Undefined: it is kept as usual. */
  readonly terms: ResultTerms | undefined;
}

/** A result that was not computed: what lies behind had it. @internal */
export const wasComputed = ({ terms }: Given<unknown>): boolean => terms?.computed !== false;

/**
 * Throws if there is not one result for each input. @internal
 *
 * @param name of the run, for errors
 */
export function checkResults(results: unknown, count: number, name: string): void {
  if (Array.isArray(results) && results.length === count) return;
  if (Array.isArray(results)) for (const one of results) handle(one);
  const what = Array.isArray(results) ? `one of ${results.length}` : received(results);
  throw resultError(`${name}: expected an array of ${count} results, received ${what}`);
}

/**
 * What was given for one input. Reading it may run the caller's code. @internal
 *
 * @param settled  whether it may be what `Promise.allSettled` gives
 * @throws the Error in its place; a CacheError `ERR_MODEL_RESULT`: there is none.
 */
export function givenBy<In>(given: unknown, name: () => string, settled: boolean): Given<In> {
  const one = settled && isSettled(given) ? resultOf(given, name) : given;
  const terms = (one as Partial<ModelResult<In>> | null | undefined)?.[TERMS];
  const value = terms === undefined ? one : (one as ModelResult<In>).value;
  if (value === undefined) throw resultError(`${name()}: expected a result, received undefined`);
  if (isError(value)) throw value;
  if (!isThenable(value)) return { value: value as In, name, terms };
  handle(value);
  throw resultError(
    `${name()}: expected a result, received a promise of one: await Promise.allSettled(…), or give runOne instead of run`,
  );
}

/**
 * A promise in the place of a result: when it rejects later, that is no unhandled rejection. Other thenables are not
 * called: calling `then` may start their work.
 */
function handle(value: unknown): void {
  try {
    if (isThenable(value)) Promise.prototype.then.call(value as Promise<unknown>, undefined, () => {});
  } catch {
    // It is not a promise.
  }
}

/** Whether it is what `Promise.allSettled` gives for one promise: a plain object of two members. */
function isSettled(given: unknown): given is PromiseSettledResult<unknown> {
  if (typeof given !== 'object' || given === null || !Object.hasOwn(given, 'status')) return false;
  const names = Object.keys(given);
  if (names.length !== 2 || !hasPlainPrototype(given)) return false;
  const { status } = given as { status: unknown };
  if (status === 'fulfilled') return names.includes('value');
  return status === 'rejected' && names.includes('reason');
}

function resultOf(settled: PromiseSettledResult<unknown>, name: () => string): unknown {
  if (settled.status === 'fulfilled') return settled.value;
  const { reason } = settled;
  if (isError(reason)) return reason;
  throw resultError(
    `${name()}: rejected, as Promise.allSettled tells it, with ${received(reason)} for a reason. ` +
      'If that object is a result, wrap it: result(object)',
    { cause: reason },
  );
}

/** The error of a result that the codec does not take. @internal */
export function refusedResult({ value, name }: Given<unknown>, codec: Codec<never, unknown, unknown>, cause: unknown) {
  return resultError(`${name()}${whyRefused(value, codec, cause)}`, { cause });
}

/** What follows its name. */
function whyRefused(value: unknown, { row, tag }: Codec<never, unknown, unknown>, cause: unknown): string {
  if (row !== undefined && tag !== 'number') {
    const shown = shapeOf(value);
    const expected = `${row.array.name} of ${row.bytes / row.array.BYTES_PER_ELEMENT}`;
    if (shown !== expected) return `: expected ${expected}, received ${shown}`;
  }
  const why = isError(cause) ? cause.message : String(cause);
  return /^value\W/.test(why) ? why.slice('value'.length) : `: ${why}`; // the member of it, if there is one
}

function shapeOf(value: unknown): string {
  const name = typedArrayName(value) ?? (Array.isArray(value) ? 'Array' : undefined);
  return name === undefined ? received(value) : `${name} of ${(value as ArrayLike<unknown>).length}`;
}

/** @internal */
export function resultError(message: string, options?: ErrorOptions): CacheError {
  return new CacheError('ERR_MODEL_RESULT', message, options);
}
