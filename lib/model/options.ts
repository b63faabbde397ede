// options.ts: the options of a model and of a prediction: their types, and their checks.

import { CacheError } from '../base/errors.js';
import { isAbortSignal, memberOf } from '../base/kinds.js';
import {
  choiceOption,
  countOption,
  type Duration,
  type DurationText,
  durationOption,
  limitOption,
  optionsObject,
  rangeError,
  type Size,
  sizeOption,
  textOption,
  typeError,
} from '../base/options.js';
import type { Codec, CustomCodec } from '../cache/codecs.js';
import type { FingerprintOptions, Scope } from '../fingerprint/fingerprint.js';
import { PUBLIC } from '../fingerprint/fingerprint.js';
import type { CheckedKeepInputsOptions } from './inputs.js';
import type { TokenUsage } from './ledger.js';
import type { ModelResult, Results } from './results.js';
import type { RunnerParts } from './runner.js';
import type { VerifyOptions } from './verification.js';

/** What `run` gets beside its inputs. */
export interface RunContext {
  /** Aborted when nobody waits for any of its results any more, after `timeout`, and when a drain gives the run up. */
  readonly signal: AbortSignal;
  /** The inputs' fingerprints: keys for a cache behind this one. */
  readonly keys: readonly Uint8Array[];
}

/** What `runOne` gets beside its input. */
export interface RunOneContext {
  /** Aborted when nobody waits for the result any more, after `timeout`, and when a drain gives the run up. */
  readonly signal: AbortSignal;
  /** The input's fingerprint: a key for a cache behind this one. */
  readonly key: Uint8Array;
}

/** How many inputs are kept, and how much memory they take. */
export interface KeepInputsOptions {
  count: number;
  /**
   * Bytes of all kept inputs together, roughly. An input that takes more than half of them is not kept. Default: a
   * sixteenth of the cache's `maxBytes`.
   */
  maxBytes?: Size | undefined;
}

/** The options of a model, without its codec and its run. */
export interface ModelBaseOptions<Input = unknown, Text extends string = DurationText> {
  name: string;
  /** A version never gets the results of another one. */
  version: string;
  /** Whose results they are: a tenant's name, or PUBLIC. */
  scope: Scope;
  /** Separates uses of one model whose results must not mix. */
  domain?: string | undefined;
  /** Everything beside the input that changes results. A `temperature` above 0 needs a `seed`, or `replicas`. */
  params?: unknown;
  /** How long results may be served. Default: the cache's. */
  ttl?: Duration<Text> | undefined;
  /** Shortens each `ttl` at random, by up to this share: 0 to less than 1. Default: the cache's. */
  ttlJitter?: number | undefined;
  /** How long after its `ttl` a result is still served, while a new one is computed for later callers. */
  staleWhileRevalidate?: Duration<Text> | undefined;
  /** How long after its `ttl` a result is served if computing a new one fails. */
  staleIfError?: Duration<Text> | undefined;
  /** How long callers get the same error for an input whose run failed. Default: each caller runs it again. */
  negativeTtl?: Duration<Text> | undefined;
  /**
   * Gives the tags of an input, at most 16, by which `invalidateByTag` forgets its results. It is called when a result
   * is computed or set; a stored result keeps the tags it has. It gets a copy of the input, and must only read it.
   */
  tags?: ((input: Input) => readonly string[]) | undefined;
  /** The most inputs of one run. Default 1 024. */
  maxBatch?: number | undefined;
  /** The most runs at a time; others wait for their turn. Default: any number. */
  concurrency?: number | undefined;
  /**
   * A run that takes longer is given up: its `signal` is aborted, and the next run begins. Its callers get a CacheError
   * `ERR_MODEL_TIMEOUT`, or a stale result (`staleIfError`). Up to 24 days. Default: none. A run that never ends then
   * keeps its callers waiting, and counts towards `concurrency`.
   */
  timeout?: Duration<Text> | undefined;
  /**
   * What becomes of results that come after `timeout`. `'drop'` (default): nothing. `'store'`: the run's signal is not
   * aborted, and its results are stored for later callers, unless they were set, deleted or computed by a later run
   * meanwhile. Such a run has no place among `concurrency`; 16 go on at a time, and a further one is aborted, as with
   * `'drop'`. `drain` and `close` abort them. Their inputs are not kept for `promote`. Not with an `upstream`: the right to store there ends with the timeout.
   */
  lateResults?: 'drop' | 'store' | undefined;
  /**
   * ms that a `predict` waits for others, to be run together. Default 0: those of one turn of the event loop run
   * together.
   */
  batchWindow?: number | undefined;
  /** For a model that samples: so many results of an input are kept, and a caller gets any of them. Default 1. */
  replicas?: number | undefined;
  /** The share of hits that are computed again and compared, in the background; or an object with more. Default 0. */
  verify?: number | VerifyOptions | undefined;
  /**
   * How many inputs of stored results are kept, for `promote`: copies of the hottest, in memory beside the cache's,
   * without the members that `fingerprint.exclude` names. A number is their count. Default 0.
   */
  keepInputs?: number | KeepInputsOptions | undefined;
  /** What of inputs and parameters counts. */
  fingerprint?: Omit<FingerprintOptions, 'explain'> | undefined;
}

/** What computes results: of a batch of inputs, or of one input at a time. */
export type Runs<Input, In> =
  | {
      /**
       * One result for each input, in the order of inputs. In the place of a result there may be an Error, or what
       * `Promise.allSettled` gives: it fails that input alone. `result(value, { ttl, cost, … })` says how a result is
       * kept.
       *
       * @example run: (texts) => Promise.allSettled(texts.map(embed))
       */
      run(inputs: Input[], context: RunContext): Results<NoInfer<In>> | Promise<Results<NoInfer<In>>>;
      runOne?: undefined;
    }
  | {
      /**
       * The result of one input, or `result(value, { ttl, cost, … })`. What it throws fails that input alone. Each input
       * has a `signal`, a `timeout` and a place among `concurrency` of its own. Set `concurrency`: without it, all inputs of
       * a batch begin at once. For a model that takes no batches:
       * then there is no `maxBatch` and no `batchWindow`.
       *
       * @example runOne: (id, { signal }) => load(id, { signal })
       */
      runOne(input: Input, context: RunOneContext): RunOneResult<NoInfer<In>> | Promise<RunOneResult<NoInfer<In>>>;
      run?: undefined;
    };

/** What `runOne` gives. */
export type RunOneResult<In> = In | Error | ModelResult<In>;

/** A model, its codec, and what computes its results. */
export type ModelOptions<Input, In, Out, Own, Text extends string = DurationText> = ModelBaseOptions<Input, Text> &
  Runs<Input, In> & {
    codec: Codec<In, Out, Own>;
    /**
     * For a model that is paid by the token: the tokens of a result, for reports about money (`zerohop/report`). Called
     * for each hit and each run. It must be quick, and only read the result. Undefined, or an error: they are not known.
     */
    usage?: ((result: In | Out) => TokenUsage | undefined) | undefined;
  };

export type CustomModelOptions<Input, T, Text extends string = DurationText> = ModelBaseOptions<Input, Text> &
  Runs<Input, T> & {
    codec: CustomCodec<T>;
    usage?: ((result: T) => TokenUsage | undefined) | undefined;
  };

/** The options of a pipeline, without its stages. */
export type PipelineOptions<Input, Text extends string = DurationText> = Omit<
  ModelBaseOptions<Input, Text>,
  'version' | 'replicas'
>;

const MODEL_BASE_OPTIONS = [
  'name',
  'version',
  'scope',
  'domain',
  'params',
  'ttl',
  'ttlJitter',
  'staleWhileRevalidate',
  'staleIfError',
  'negativeTtl',
  'tags',
  'maxBatch',
  'concurrency',
  'timeout',
  'lateResults',
  'batchWindow',
  'replicas',
  'verify',
  'keepInputs',
  'fingerprint',
] as const;

/** @internal */
export const MODEL_OPTIONS = [...MODEL_BASE_OPTIONS, 'codec', 'run', 'runOne', 'usage'] as const;

/** @internal */
export const PIPELINE_OPTIONS = MODEL_BASE_OPTIONS.filter((name) => name !== 'version' && name !== 'replicas');

/** As fetch's `cache`. `no-store`: no lookup, and nothing is stored. `reload`: no lookup. `only-if-cached`: no run. */
export type CacheMode = 'default' | 'no-store' | 'reload' | 'only-if-cached';

export interface PredictOptions {
  /** Gives up waiting. The run goes on for others. Its own signal is aborted when the last caller has given up. */
  signal?: AbortSignal | undefined;
  cache?: CacheMode | undefined;
}

/** @internal */
export const MODES = ['default', 'no-store', 'reload', 'only-if-cached'] as const;
const WINDOW_MS_MAX = 60_000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1; // of a timer
const REPLICAS_MAX = 1024;
const INPUTS_MAX = 2 ** 20;
const KEPT_BYTES_MAX = 2 ** 40;
const KEPT_SHARE = 1 / 16; // of the cache's bytes

/** Checks the options that neither the keyspace nor the fingerprint checks. @internal */
export function checkModelOptions(given: Record<string, unknown>): void {
  const { scope, params, maxBatch, concurrency, batchWindow, replicas, negativeTtl, tags, usage } = given;
  if (scope !== PUBLIC) textOption('options.scope', scope, 1024, 1);
  if (maxBatch !== undefined) countOption('options.maxBatch', maxBatch, 1, 2 ** 20);
  if (concurrency !== undefined) limitOption('options.concurrency', concurrency, 1, 2 ** 20);
  if (batchWindow !== undefined) countOption('options.batchWindow', batchWindow, 0, WINDOW_MS_MAX);
  if (replicas !== undefined) countOption('options.replicas', replicas, 1, REPLICAS_MAX);
  if (negativeTtl !== undefined) durationOption('options.negativeTtl', negativeTtl);
  if (tags !== undefined && typeof tags !== 'function')
    throw typeError('options.tags', 'a function of an input that gives an array of strings', tags);
  if (usage !== undefined && typeof usage !== 'function')
    throw typeError('options.usage', 'a function of a result that gives its tokens', usage);
  if (typeof params !== 'object' || params === null || replicas !== undefined) return;
  const [temperature, seed] = [memberOf(params, 'temperature'), memberOf(params, 'seed')];
  if (typeof temperature === 'number' && temperature > 0 && seed === undefined)
    throw rangeError(
      'options.params.temperature',
      '0, or a params.seed beside it, or replicas: one answer of a model that draws would be served to all',
      temperature,
    );
}

/** What computes results: `run`, or `runOne` as a run of one input. @internal */
export function runOption<Input>(given: Record<string, unknown>): Pick<RunnerParts<Input>, 'run' | 'isOne'> {
  const { run, runOne, maxBatch, batchWindow } = given;
  if (runOne === undefined) {
    if (typeof run === 'function') return { run: run as never, isOne: false };
    throw typeError('options.run', 'a function of a batch of inputs (or runOne, a function of one input)', run);
  }
  if (typeof runOne !== 'function') throw typeError('options.runOne', 'a function of an input', runOne);
  if (run !== undefined) throw typeError('options.run', 'nothing beside runOne', run);
  for (const [name, value] of Object.entries({ maxBatch, batchWindow }))
    if (value !== undefined) throw typeError(`options.${name}`, 'nothing beside runOne, which takes no batches', value);
  return {
    run: async ([input]: Input[], { signal, keys }) => [await runOne(input, { signal, key: keys[0]! })],
    isOne: true,
  };
}

const FINGERPRINT_OPTIONS = ['normalization', 'exclude', 'explain', 'maxNodes', 'maxDepth'] as const;

/** A copy, so that inputs are named and copied by the same rules even if the caller changes the object. @internal */
export function fingerprintOption(value: unknown): FingerprintOptions {
  const given = optionsObject('options.fingerprint', value, FINGERPRINT_OPTIONS);
  const { exclude } = given;
  if (Array.isArray(exclude)) given['exclude'] = [...exclude];
  return given;
}

/** In ms. @internal */
export const timeoutOption = (value: unknown): number =>
  value === undefined ? Number.POSITIVE_INFINITY : durationOption('options.timeout', value, 1, TIMEOUT_MS_MAX);

/** Whether late results are stored. @internal */
export function lateResultsOption({ lateResults, timeout, upstream }: Record<string, unknown>): boolean {
  if (lateResults === undefined) return false;
  const stores = choiceOption('options.lateResults', lateResults, ['drop', 'store']) === 'store';
  if (stores && timeout === undefined)
    throw typeError('options.timeout', 'a duration, because of lateResults', timeout);
  if (stores && upstream !== undefined)
    throw typeError('options.lateResults', "'drop', because of the upstream", lateResults);
  return stores;
}

/** @param capacity of the cache, in bytes. @internal */
export function keepInputsOption(value: unknown, capacity: number): CheckedKeepInputsOptions {
  const otherwise = capacity * KEPT_SHARE;
  if (value === undefined || typeof value === 'number')
    return { count: countOption('options.keepInputs', value ?? 0, 0, INPUTS_MAX), maxBytes: otherwise };
  const { count, maxBytes } = optionsObject('options.keepInputs', value, ['count', 'maxBytes']);
  return {
    count: countOption('options.keepInputs.count', count, 0, INPUTS_MAX),
    maxBytes:
      maxBytes === undefined ? otherwise : sizeOption('options.keepInputs.maxBytes', maxBytes, 1, KEPT_BYTES_MAX),
  };
}

/** The options of a prediction, checked. @internal */
export interface Asked {
  readonly signal: AbortSignal | undefined;
  readonly mode: CacheMode;
  /** Of a pipeline's stage: which of the inputs a caller asked for. Undefined: all. */
  readonly askedInputs?: readonly boolean[] | undefined;
  /** Called if the result was found behind. */
  readonly found?: () => void;
}

const AS_USUAL: Asked = { signal: undefined, mode: 'default' };

/** Throws the signal's reason if it has given up already. @internal */
export function predictOptions(options: PredictOptions | undefined): Asked {
  if (options === undefined) return AS_USUAL;
  const given = optionsObject('options', options, ['signal', 'cache']);
  const signal = signalOption(given['signal']);
  const mode = given['cache'] === undefined ? 'default' : choiceOption('options.cache', given['cache'], MODES);
  return { signal, mode };
}

/** Throws the signal's reason if it has given up already. @internal */
export function signalOption(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (!isAbortSignal(signal)) throw typeError('options.signal', 'an AbortSignal', signal);
  if (signal.aborted) throw signal.reason;
  return signal;
}

/** Whether a stored result may be given. @internal */
export const looks = (mode: CacheMode) => mode === 'default' || mode === 'only-if-cached';
/** Whether the caller may join a computation under way. @internal */
export const joins = (mode: CacheMode) => mode === 'default';

/** The error of `only-if-cached`. Counts that so many inputs were missed. @internal */
export function notCached(name: string, counts: { missed: number }, missing = 1): CacheError {
  counts.missed += missing;
  return new CacheError(
    'ERR_MODEL_NOT_CACHED',
    `no result of ${name} is stored for an input, and cache is 'only-if-cached'`,
  );
}

/** The most inputs of one batch: the results of more would fill the memory. */
const BATCH_INPUTS_MAX = 2 ** 24;

/**
 * Reads each input once. Getters of inputs, and tags, are the caller's code, which may change the array. @internal
 */
export function inputsOf<Input>(given: readonly Input[]): Input[] {
  if (!Array.isArray(given)) throw typeError('inputs', 'an array', given);
  const { length } = given;
  if (length > BATCH_INPUTS_MAX) throw rangeError('inputs.length', `at most ${BATCH_INPUTS_MAX} inputs`, length);
  const inputs: Input[] = [];
  for (let i = 0; i < length; ++i) {
    const input = given[i] as Input;
    if (input === undefined && !Object.hasOwn(given, i)) throw typeError(`inputs[${i}]`, 'an input, not a hole', input);
    inputs.push(input);
  }
  return inputs;
}
