// model.ts: memoised inference. What is known is not computed again, what is being computed is computed once, and the rest
// reaches the model in batches.
//
//   input -> fingerprint -> keyspace of the model's version: a hit
//                        -> a flight: somebody computes it already; joined
//                        -> a new flight, run with others that miss
//
// A result is stored under the fingerprint of the input it was asked for with. Inputs that can change are named again
// before and after they are run: if one did change, nobody gets a result, and nothing is stored.

import { CacheError } from '../errors.js';
import type { Fingerprint, Fingerprinter, FingerprintOptions, Scope } from '../fingerprint/fingerprint.js';
import { PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import type { Keyspace } from '../keyspace.js';
import {
  choiceOption,
  countOption,
  durationOption,
  optionsObject,
  rangeError,
  textOption,
  typeError,
} from '../options.js';
import { Flight, type Run } from './flights.js';

/** What `run` is given beside its inputs. */
export interface RunContext {
  /** Aborted when nobody waits for any of its results any more. */
  readonly signal: AbortSignal;
}

/** What a model is, but for its codec and its run. */
export interface ModelTerms {
  name: string;
  /** Another version never sees this one's results. */
  version: string;
  /** Whose results they are: a tenant's name, or PUBLIC. */
  scope: Scope;
  /** Tells apart uses of one model whose results must not mix. */
  domain?: string;
  /** All that changes results beside the input. With a `temperature` above 0, a `seed` as well. */
  params?: unknown;
  /** How long results may be served. Default: the cache's. */
  ttl?: number | string;
  /** Inputs of one run at most. Default 1 024. */
  maxBatch?: number;
  /** ms that a single `predict` waits for others to be run with. Default 0: those of the same turn of the event loop. */
  batchWindow?: number;
  /** What of inputs and parameters counts. */
  fingerprint?: Omit<FingerprintOptions, 'explain'>;
}

/** As fetch's `cache`: `no-store` neither looks nor stores, `reload` does not look, `only-if-cached` does not run. */
export type CacheMode = 'default' | 'no-store' | 'reload' | 'only-if-cached';

export interface PredictOptions {
  /** Gives up waiting; the run goes on for others, and is told when the last one has given up. */
  signal?: AbortSignal;
  cache?: CacheMode;
}

export interface ModelStats {
  /** Inputs that were answered from the cache. */
  hits: number;
  /** Inputs whose result somebody else was computing already, or that were twice in a batch. */
  joined: number;
  /** Inputs that were run, and runs that they were run in. */
  computed: number;
  runs: number;
  /** Inputs whose run failed. */
  failed: number;
  /** ms that runs took, all together. */
  runMs: number;
}

/** @internal */
export interface ModelParts<In, Out> extends ModelTerms {
  readonly answers: Keyspace<In, Out, unknown>;
  readonly run: (inputs: never[], context: RunContext) => readonly In[] | Promise<readonly In[]>;
}

const MODES = ['default', 'no-store', 'reload', 'only-if-cached'] as const;
const MAX_BATCH = 1024;
const WINDOW_MS_MAX = 60_000;

/** Checks what of the terms the cache's keyspace does not check. @internal */
export function checkTerms({ scope, params, maxBatch, batchWindow, run }: Record<string, unknown>): void {
  if (typeof run !== 'function') throw typeError('options.run', 'a function of a batch of inputs', run);
  if (scope !== PUBLIC) textOption('options.scope', scope, 1024, 1);
  if (maxBatch !== undefined) countOption('options.maxBatch', maxBatch, 1, 2 ** 20);
  if (batchWindow !== undefined && batchWindow !== 0)
    durationOption('options.batchWindow', batchWindow, 1, WINDOW_MS_MAX);
  if (typeof params !== 'object' || params === null) return;
  const { temperature, seed } = params as { temperature?: unknown; seed?: unknown };
  if (typeof temperature === 'number' && temperature > 0 && seed === undefined)
    throw rangeError(
      'options.params.temperature',
      '0, or a params.seed beside it: one answer of a model that draws would be served to all',
      temperature,
    );
}

/** A model whose results are kept. Made by `cache.model()`. */
export class Model<Input, In, Out> {
  readonly name: string;
  readonly version: string;
  readonly #answers: Keyspace<In, Out, unknown>;
  readonly #run: (inputs: Input[], context: RunContext) => readonly In[] | Promise<readonly In[]>;
  readonly #namer: Fingerprinter;
  readonly #maxBatch: number;
  readonly #windowMs: number;
  readonly #flights = new Map<string, Flight<Input, In | Out>>();
  #queue: Flight<Input, In | Out>[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #stats: ModelStats = { hits: 0, joined: 0, computed: 0, runs: 0, failed: 0, runMs: 0 };

  /** @internal */
  constructor(parts: ModelParts<In, Out>) {
    const { name, version, scope, domain, params, maxBatch, batchWindow } = parts;
    this.name = name;
    this.version = version;
    this.#answers = parts.answers;
    this.#run = parts.run as (inputs: Input[], context: RunContext) => readonly In[] | Promise<readonly In[]>;
    this.#namer = fingerprinter({ scope, domain: domain ?? '', model: { name, version }, params }, parts.fingerprint);
    this.#maxBatch = maxBatch ?? MAX_BATCH;
    this.#windowMs = batchWindow ?? 0;
  }

  /** The key of an input's result. */
  fingerprint(input: Input): Fingerprint {
    return this.#namer.of(input);
  }

  /**
   * The result for an input: what is stored, or what the model then computes.
   *
   * Rejects with what `run` failed with; with `signal`'s reason; with a CacheError `ERR_MODEL_NOT_CACHED`
   * (`only-if-cached`), `ERR_MODEL_RESULT` (`run` gave something else than a result for each input),
   * `ERR_MODEL_INPUT_CHANGED`; with a TypeError for an input that has no fingerprint, or a result that the codec refuses.
   */
  async predict(input: Input, options?: PredictOptions): Promise<In | Out> {
    const { signal, mode } = predictOptions(options);
    const key = this.#namer.of(input);
    const found = looks(mode) ? this.#answers.get(key) : undefined;
    if (found !== undefined) {
      this.#stats.hits++;
      return found;
    }
    if (mode === 'only-if-cached') throw notCached(this.name);
    const { flight, fresh } = this.#flightOf(key, input, mode);
    const result = this.#join(flight, signal);
    if (fresh) this.#enqueue(flight);
    return result;
  }

  /**
   * The results for many inputs, in their order. What is missing is run at once, each input once, `maxBatch` together.
   * Rejects as {@link predict}, with the first failure; what else was computed is stored.
   */
  async predictMany(inputs: readonly Input[], options?: PredictOptions): Promise<(In | Out)[]> {
    const { signal, mode } = predictOptions(options);
    const keys = Array.from(this.#namer.many(inputs));
    const results: (In | Out | undefined | Promise<In | Out>)[] = looks(mode)
      ? this.#answers.getMany(keys)
      : new Array<undefined>(keys.length).fill(undefined);
    const missing = results.flatMap((result, i) => (result === undefined ? [i] : []));
    this.#stats.hits += keys.length - missing.length;
    if (missing.length > 0 && mode === 'only-if-cached') throw notCached(this.name);
    const own = new Map<string, Flight<Input, In | Out>>(); // of this batch, where flights are not shared
    const fresh: Flight<Input, In | Out>[] = [];
    for (const i of missing) {
      const known = shared(mode) ? undefined : own.get(keys[i]!.hex);
      const of = known ? { flight: known, fresh: false } : this.#flightOf(keys[i]!, inputs[i]!, mode);
      if (known) this.#stats.joined++;
      own.set(of.flight.id, of.flight);
      if (of.fresh) fresh.push(of.flight);
      results[i] = this.#join(of.flight, signal);
    }
    for (let at = 0; at < fresh.length; at += this.#maxBatch) void this.#start(fresh.slice(at, at + this.#maxBatch));
    return Promise.all(results) as Promise<(In | Out)[]>;
  }

  /** What is stored for the input, if anything is; uncounted. */
  peek(input: Input): Out | undefined {
    return this.#answers.peek(this.#namer.of(input));
  }

  /** Stores a result that was computed elsewhere; one that is being computed here will not replace it. */
  set(input: Input, result: In): boolean {
    const key = this.#namer.of(input);
    this.#outdate(key.hex);
    return this.#answers.set(key, result);
  }

  /** Forgets the result for an input; one that is being computed will not be stored. Returns whether there was one. */
  delete(input: Input): boolean {
    const key = this.#namer.of(input);
    this.#outdate(key.hex);
    return this.#answers.delete(key);
  }

  /** Forgets all results of this version, those that are being computed among them. */
  clear(): void {
    for (const id of [...this.#flights.keys()]) this.#outdate(id);
    this.#answers.clear();
  }

  stats(): ModelStats {
    return { ...this.#stats };
  }

  /** The flight that computes the key, or a new one. */
  #flightOf(key: Fingerprint, input: Input, mode: CacheMode): { flight: Flight<Input, In | Out>; fresh: boolean } {
    const id = key.hex;
    const known = shared(mode) ? this.#flights.get(id) : undefined;
    if (known !== undefined) {
      this.#stats.joined++;
      return { flight: known, fresh: false };
    }
    const flight = new Flight<Input, In | Out>(key, id, input, mode === 'no-store');
    if (mode === 'reload') this.#outdate(id); // what was asked for before must not replace it
    if (mode !== 'no-store') this.#flights.set(id, flight);
    return { flight, fresh: true };
  }

  #join(flight: Flight<Input, In | Out>, signal: AbortSignal | undefined): Promise<In | Out> {
    return flight.join(signal, () => this.#land(flight));
  }

  /** Later callers do not join it any more. */
  #land(flight: Flight<Input, In | Out>): void {
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
  }

  #outdate(id: string): void {
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    flight.stale = true;
    this.#flights.delete(id);
  }

  #enqueue(flight: Flight<Input, In | Out>): void {
    this.#queue.push(flight);
    if (this.#queue.length >= this.#maxBatch) this.#flush();
    else if (this.#queue.length > 1) return;
    else if (this.#windowMs === 0) queueMicrotask(() => this.#flush());
    else this.#timer = setTimeout(() => this.#flush(), this.#windowMs);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const flights = this.#queue;
    this.#queue = [];
    const awaited = flights.filter((flight) => !flight.abandoned);
    if (awaited.length > 0) void this.#start(awaited);
  }

  /** Runs them together; never rejects. */
  async #start(flights: readonly Flight<Input, In | Out>[]): Promise<void> {
    const unchanged = flights.filter((flight) => this.#isUnchanged(flight));
    if (unchanged.length === 0) return;
    const run: Run = { controller: new AbortController(), awaited: unchanged.length };
    for (const flight of unchanged) flight.run = run;
    this.#stats.runs++;
    this.#stats.computed += unchanged.length;
    const begun = performance.now();
    let results: readonly In[];
    try {
      results = await this.#run(
        unchanged.map(({ input }) => input),
        { signal: run.controller.signal },
      );
      if (!Array.isArray(results) || results.length !== unchanged.length)
        throw new CacheError(
          'ERR_MODEL_RESULT',
          `run of ${this.name}: expected an array of ${unchanged.length} results, received ${
            Array.isArray(results) ? `one of ${results.length}` : typeof results
          }`,
        );
    } catch (reason) {
      for (const flight of unchanged) this.#fail(flight, reason);
      return;
    } finally {
      this.#stats.runMs += performance.now() - begun;
    }
    const cost = (performance.now() - begun) / unchanged.length;
    for (const [i, flight] of unchanged.entries()) this.#finish(flight, results[i], cost);
  }

  #finish(flight: Flight<Input, In | Out>, result: In | undefined, cost: number): void {
    if (!this.#isUnchanged(flight)) return;
    if (result === undefined) {
      this.#fail(flight, new CacheError('ERR_MODEL_RESULT', `run of ${this.name}: expected a result for each input`));
      return;
    }
    try {
      const stored = !flight.stale && this.#answers.set(flight.key, result, { cost });
      this.#land(flight);
      // What is stored no later run can write over, as it can its own buffers.
      flight.resolve((stored ? this.#answers.peek(flight.key) : undefined) ?? result);
    } catch (reason) {
      this.#fail(flight, reason); // the codec refused it, or the cache was closed
    }
  }

  #fail(flight: Flight<Input, In | Out>, reason: unknown): void {
    this.#stats.failed++;
    this.#land(flight);
    flight.reject(reason);
  }

  /** False, and it has failed, if its input is not what it was when it was asked for. */
  #isUnchanged(flight: Flight<Input, In | Out>): boolean {
    const { input, id } = flight;
    if ((typeof input !== 'object' && typeof input !== 'function') || input === null) return true;
    try {
      if (this.#namer.of(input).hex === id) return true;
    } catch {
      // Detached, or made into something that has no name: changed, too.
    }
    const message = `an input of ${this.name} was changed before its result was there; pass a copy`;
    this.#fail(flight, new CacheError('ERR_MODEL_INPUT_CHANGED', message));
    return false;
  }
}

const looks = (mode: CacheMode) => mode === 'default' || mode === 'only-if-cached';
const shared = (mode: CacheMode) => mode === 'default';

function notCached(name: string): CacheError {
  return new CacheError(
    'ERR_MODEL_NOT_CACHED',
    `no result of ${name} is stored for an input, and cache is 'only-if-cached'`,
  );
}

function predictOptions(options: PredictOptions | undefined): { signal: AbortSignal | undefined; mode: CacheMode } {
  const given = optionsObject('options', options, ['signal', 'cache']);
  const signal = given['signal'];
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw typeError('options.signal', 'an AbortSignal', signal);
  signal?.throwIfAborted();
  const mode = given['cache'] === undefined ? 'default' : choiceOption('options.cache', given['cache'], MODES);
  return { signal, mode };
}
