// model.ts: memoised inference. What is known is not computed again, what is being computed is computed once, and the rest
// reaches the model in batches.
//
//   input -> fingerprint -> keyspace of the model's version: a hit         finder.ts: one native call
//                        -> a flight: somebody computes it already; joined  flights.ts
//                        -> a new flight, run with others that miss         runner.ts
//
// A result is stored under the fingerprint of the input it was asked for with. Inputs that can change are named again
// before and after they are run: if one did change, nobody gets a result, and nothing is stored.

import type { Codec } from '../codecs.js';
import type { Entry } from '../entry.js';
import { CacheError } from '../errors.js';
import type { Fingerprint, Scope } from '../fingerprint/fingerprint.js';
import type { Keyspace } from '../keyspace.js';
import { tagOption, tagsOption } from '../options.js';
import { Failures } from './failures.js';
import { Finder, type Naming } from './finder.js';
import { Flight, until } from './flights.js';
import type { Life } from './freshness.js';
import { KeptInputs, ownOf } from './inputs.js';
import { type ModelReport, type ReportOptions, reportOf } from './report.js';
import { type Landing, Runner } from './runner.js';
import {
  type Asked,
  type CacheMode,
  joins,
  looks,
  type PredictOptions,
  predictOptions,
  type Results,
  type RunContext,
} from './terms.js';
import { Verification, type VerifyTerms } from './verification.js';

export interface ModelStats {
  /** Inputs that were asked for: hits, joined, missed and failed again. */
  asked: number;
  /** Inputs that were answered from the cache. */
  hits: number;
  /** Of those: served beyond their ttl (`staleWhileRevalidate`). */
  staleHits: number;
  /** Inputs whose result somebody else was computing already, or that were twice in a batch. */
  joined: number;
  /** Inputs for which there was no result to serve, and nobody computing it. */
  missed: number;
  /** Inputs that were run, those without a caller among them, and runs that they were run in. */
  computed: number;
  runs: number;
  /** Inputs whose run failed. */
  failed: number;
  /** Inputs that were answered with a stale result because of that. */
  staleOnError: number;
  /** Inputs whose run failed a moment ago (`negativeTtl`): they got its error, or what is stale. */
  failedAgain: number;
  /** Hits that were computed again and compared, and those among them that were not the same. */
  verified: number;
  mismatches: number;
  /** Too many were not: the cache is not used until `trust()`. */
  distrusted: boolean;
  /** ms that runs took, all together: runs side by side share the time that passes. */
  runMs: number;
}

/** Results of a batch, but those at `places`, which are awaited, in that order. */
interface Begun<Input, In, Out> {
  readonly results: (In | Out | undefined)[];
  readonly places: readonly number[];
  readonly awaited: readonly Promise<In | Out>[];
  readonly flights: readonly Flight<Input, In | Out>[];
}

/** What a model is made of. @internal */
export interface ModelParts<Input, In, Out> {
  readonly name: string;
  readonly version: string;
  readonly scope: Scope;
  readonly codec: Codec<In, Out, unknown>;
  readonly answers: Keyspace<In, Out, unknown>;
  /** By fingerprint in hex; those of another Model with the same answers are the same. */
  readonly flights: Map<string, Flight<Input, In | Out>>;
  /** Of each replica: how its keys are made. */
  readonly namings: readonly Naming[];
  readonly life: Life;
  readonly run: (inputs: Input[], context: RunContext) => Results<In> | Promise<Results<In>>;
  readonly maxBatch: number;
  readonly concurrency: number;
  readonly windowMs: number;
  readonly negativeTtlMs: number;
  readonly keepInputs: number;
  readonly tags: ((input: Input) => readonly string[]) | undefined;
  readonly verify: number | VerifyTerms | undefined;
  /** What identifies it as a stage of a pipeline. */
  readonly identity: unknown;
}

/** Of hits so many tell that their input was asked for. */
const KEEP_SHARE = 1 / 4;

const NO_TAGS: readonly string[] = [];

/** Of so many lookups one is timed. */
const TIME_EVERY = 64;

/** A model whose results are kept. Made by `cache.model()`. */
export class Model<Input, In, Out> {
  readonly name: string;
  readonly version: string;
  /** @internal */
  readonly scope: Scope;
  /** @internal */
  readonly codec: Codec<In, Out, unknown>;
  /** @internal */
  readonly identity: unknown;
  readonly #answers: Keyspace<In, Out, unknown>;
  readonly #finders: readonly Finder<In, Out>[];
  readonly #life: Life;
  readonly #flights: Map<string, Flight<Input, In | Out>>;
  readonly #runner: Runner<Input, In, In | Out>;
  readonly #failures: Failures | undefined;
  readonly #verification: Verification<In> | undefined;
  readonly #inputs: KeptInputs<Input>;
  readonly #tagsOf: ((input: Input) => readonly string[]) | undefined;
  readonly #counts = { hits: 0, staleHits: 0, joined: 0, missed: 0, failed: 0, staleOnError: 0, failedAgain: 0 };
  #lookups = 0;
  #timedMs = 0;

  /** @internal */
  constructor(parts: ModelParts<Input, In, Out>) {
    const { name, version, codec, answers, negativeTtlMs, verify, run, maxBatch, concurrency, windowMs } = parts;
    this.name = name;
    this.version = version;
    this.scope = parts.scope;
    this.codec = codec;
    this.identity = parts.identity;
    this.#answers = answers;
    this.#flights = parts.flights;
    this.#finders = parts.namings.map((naming) => new Finder(answers, naming));
    this.#life = parts.life;
    this.#failures = negativeTtlMs > 0 ? new Failures(negativeTtlMs) : undefined;
    this.#verification = verify === undefined || verify === 0 ? undefined : new Verification(verify, codec, this);
    this.#inputs = new KeptInputs(parts.keepInputs, (key) => answers.has(key));
    this.#tagsOf = parts.tags;
    const landing: Landing<Input, In, In | Out> = {
      admit: (flight) => this.#isUnchanged(flight),
      finish: (flight, result, cost) => this.#finish(flight, result, cost),
      fail: (flight, reason) => this.#fail(flight, reason),
    };
    this.#runner = new Runner({ name, run, maxBatch, concurrency, windowMs }, landing);
  }

  /** The key of an input's result; of replicas, the first one's. */
  fingerprint(input: Input): Fingerprint {
    return this.#finders[0]!.name(input);
  }

  /**
   * The result for an input: what is stored, or what the model then computes.
   *
   * Rejects with what `run` failed with; with `signal`'s reason; with a CacheError `ERR_MODEL_NOT_CACHED`
   * (`only-if-cached`), `ERR_MODEL_RESULT` (`run` gave something else than a result for each input),
   * `ERR_MODEL_INPUT_CHANGED`; with a TypeError for an input that has no fingerprint, or a result that the codec refuses.
   * Cost: a hit is one native call, which makes the fingerprint and looks: 1 µs for a short text; for a tensor of 1 024
   *   float32 2 µs if it came before lately, 10 else.
   */
  async predict(input: Input, options?: PredictOptions): Promise<In | Out> {
    const { signal, mode } = this.#asked(options);
    const finder = this.#anyFinder();
    let stale: Out | undefined;
    if (looks(mode)) {
      const found = this.#find(finder, input);
      if (found !== undefined) {
        const freshness = this.#life.ends ? this.#life.of(finder.left) : 'fresh';
        if (freshness !== 'if-error' || mode === 'only-if-cached') {
          this.#counts.hits++;
          if (this.#inputs.wanted && Math.random() < KEEP_SHARE) this.#inputs.keep(finder.key.hex, finder.key, input);
          if (freshness === 'revalidate') this.#counts.staleHits++;
          if (mode !== 'only-if-cached') {
            if (freshness === 'revalidate') this.#revalidate(finder, input);
            else if (this.#verification?.draws()) this.#verify(finder.key, input, found);
          }
          return found;
        }
        stale = found;
      }
      if (mode === 'only-if-cached') throw this.#notCached();
    }
    const key = looks(mode) ? finder.key : finder.name(input);
    const failure = looks(mode) ? this.#failures?.find(key.hex) : undefined;
    if (failure !== undefined) {
      this.#counts.failedAgain++;
      if (stale === undefined) throw failure.reason;
      this.#counts.staleOnError++;
      return stale;
    }
    const { flight, fresh } = this.#flightOf(key, input, mode, this.#tagsFor(input));
    const result = until(this.#join(flight, fresh, stale), signal, (reason) => this.#leave(flight, reason));
    if (fresh) this.#runner.enqueue(flight);
    return result;
  }

  /**
   * The results for many inputs, in their order. What is missing is run at once, each input once, `maxBatch` together.
   * Rejects as {@link predict}, with the first failure; what else was computed is stored.
   */
  async predictMany(inputs: readonly Input[], options?: PredictOptions): Promise<(In | Out)[]> {
    const asked = this.#asked(options);
    const { results, places, awaited, flights } = this.#begin(inputs, asked);
    if (places.length === 0) return results as Out[];
    const computed = await until(Promise.all(awaited), asked.signal, (reason) => this.#leaveAll(flights, reason));
    for (const [n, place] of places.entries()) results[place] = computed[n];
    return results as (In | Out)[];
  }

  /** The same, but that what fails does so alone. @internal */
  async settleMany(inputs: readonly Input[], options: PredictOptions): Promise<PromiseSettledResult<In | Out>[]> {
    const asked = this.#asked(options);
    const { results, places, awaited, flights } = this.#begin(inputs, asked);
    const computed = await until(Promise.allSettled(awaited), asked.signal, (reason) =>
      this.#leaveAll(flights, reason),
    );
    const settled = results.map((value): PromiseSettledResult<In | Out> => ({ status: 'fulfilled', value: value! }));
    for (const [n, place] of places.entries()) settled[place] = computed[n]!;
    return settled;
  }

  #begin(given: readonly Input[], asked: Asked): Begun<Input, In, Out> {
    const { mode } = asked;
    // Read once: getters of inputs, and tags, are the caller's code, which may change the array.
    const inputs = Array.isArray(given) ? Array.from<Input>(given) : given;
    if (this.#finders.length > 1 || this.#life.ends || this.#verification !== undefined || this.#failures !== undefined)
      return this.#beginEach(inputs, asked);
    const finder = this.#finders[0]!;
    const began = performance.now();
    const found = looks(mode) ? finder.findMany(inputs) : undefined;
    const keys = found?.keys ?? finder.nameMany(inputs);
    const results: (In | Out | undefined)[] = found?.results ?? new Array<undefined>(keys.count).fill(undefined);
    if (found !== undefined) this.#countLookups(keys.count, performance.now() - began);
    const places: number[] = [];
    for (let i = 0; i < results.length; ++i) {
      if (results[i] === undefined) places.push(i);
      else if (this.#inputs.wanted && Math.random() < KEEP_SHARE)
        this.#inputs.keep(keys.keyAt(i).hex, keys.keyAt(i), inputs[i]!);
    }
    this.#counts.hits += keys.count - places.length;
    const awaited: Promise<In | Out>[] = [];
    const flights: Flight<Input, In | Out>[] = [];
    if (places.length === 0) return { results, places, awaited, flights };
    if (mode === 'only-if-cached') throw this.#notCached(places.length);
    const tags = places.map((i) => this.#tagsFor(inputs[i]!)); // the caller's code: before anything is begun
    const own = new Map<string, Flight<Input, In | Out>>(); // of this batch, where flights are not shared
    const fresh: Flight<Input, In | Out>[] = [];
    for (const [n, i] of places.entries()) {
      const key = keys.keyAt(i);
      const known = joins(mode) ? undefined : own.get(key.hex);
      const of = known ? { flight: known, fresh: false } : this.#flightOf(key, inputs[i]!, mode, tags[n]!);
      if (known) this.#counts.joined++;
      own.set(of.flight.id, of.flight);
      if (of.fresh) fresh.push(of.flight);
      flights.push(of.flight);
      awaited.push(this.#join(of.flight, of.fresh, undefined));
    }
    this.#runner.start(fresh);
    return { results, places, awaited, flights };
  }

  /** One by one, where hits need a look each; what misses is still run together. */
  #beginEach(inputs: readonly Input[], { signal, mode }: Asked): Begun<Input, In, Out> {
    this.#finders[0]!.check(inputs); // all of them, before the first is looked up
    const options: PredictOptions = { cache: mode, ...(signal !== undefined && { signal }) };
    const awaited = inputs.map((input) => this.predict(input, options));
    const results = new Array<In | Out | undefined>(awaited.length).fill(undefined);
    return { results, places: awaited.map((_, i) => i), awaited, flights: [] };
  }

  /** What is stored for the input, if anything is; uncounted. Stale results are given too. */
  peek(input: Input): Out | undefined {
    for (const finder of this.#finders) {
      const found = this.#answers.peek(finder.name(input));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What is known of the stored result: age, time to live, cost, worth. Of replicas, the first one's. Uncounted. */
  entry(input: Input): Entry<Out> | undefined {
    return this.#answers.entry(this.#finders[0]!.name(input));
  }

  /** Stores a result that was computed elsewhere; one that is being computed here will not replace it. Of replicas, the first. */
  set(input: Input, result: In): boolean {
    const key = this.#finders[0]!.name(input);
    const tags = this.#tagsFor(input);
    this.#outdate(key.hex);
    return this.#store(key, key.hex, input, result, tags, 0);
  }

  /** Forgets the results for an input; one that is being computed will not be stored. Returns whether there was one. */
  delete(input: Input): boolean {
    let deleted = false;
    for (const finder of this.#finders) {
      const key = finder.name(input);
      this.#outdate(key.hex);
      this.#inputs.forget(key.hex);
      deleted = this.#answers.delete(key) || deleted;
    }
    return deleted;
  }

  /**
   * Forgets the results of all inputs for which `tags` gave this one; those that are being computed will not be stored.
   * Returns how many were stored.
   */
  invalidateByTag(tag: string): number {
    const name = tagOption('tag', tag);
    for (const flight of [...this.#flights.values()]) if (flight.tags.includes(name)) this.#outdate(flight.id);
    return this.#answers.deleteByTag(name);
  }

  /** Forgets all results of this version, those that are being computed among them. */
  clear(): void {
    this.outdateAll();
    this.#answers.clear();
  }

  /** What is being computed is not stored. @internal */
  outdateAll(): void {
    for (const id of [...this.#flights.keys()]) this.#outdate(id);
    this.#failures?.clear();
    this.#inputs.clear();
  }

  /** After too many mismatches (`verify`): uses the cache again, and compares anew. */
  trust(): void {
    this.#verification?.trust();
  }

  /** Inputs that were kept (`keepInputs`), the hottest first. */
  hottest(count: number): Input[] {
    return this.#inputs.hottest(count);
  }

  /** @internal */
  get replicas(): number {
    return this.#finders.length;
  }

  /** @internal */
  get hits(): number {
    return this.#counts.hits;
  }

  stats(): ModelStats {
    const counts = this.#counts;
    const { computed, runs, runMs } = this.#runner;
    const { verified = 0, mismatches = 0, distrusted = false } = this.#verification ?? {};
    const asked = counts.hits + counts.joined + counts.missed + counts.failedAgain;
    return { asked, ...counts, computed, runs, runMs, verified, mismatches, distrusted };
  }

  /**
   * What the cache saved: hits times the mean time of a run by input, less what looking up and comparing took. Callers who
   * joined a run are told apart: a model without a cache would have run them.
   */
  report(options: ReportOptions): ModelReport {
    const overheadMs = this.#lookups === 0 ? 0 : this.#timedMs;
    return reportOf(this.stats(), { overheadMs, verified: this.#verification?.verified ?? 0 }, options);
  }

  #asked(options: PredictOptions | undefined): Asked {
    const asked = predictOptions(options);
    if (this.#verification?.distrusted !== true) return asked;
    if (asked.mode === 'only-if-cached') throw this.#notCached();
    return { signal: asked.signal, mode: 'no-store' };
  }

  #anyFinder(): Finder<In, Out> {
    const { length } = this.#finders;
    return this.#finders[length === 1 ? 0 : Math.floor(Math.random() * length)]!;
  }

  #find(finder: Finder<In, Out>, input: Input): Out | undefined {
    if (++this.#lookups % TIME_EVERY !== 0) return finder.find(input);
    const begun = performance.now();
    const found = finder.find(input);
    this.#timedMs += (performance.now() - begun) * TIME_EVERY;
    return found;
  }

  #countLookups(count: number, ms: number): void {
    this.#lookups += count;
    this.#timedMs += ms;
  }

  #notCached(missing = 1): CacheError {
    this.#counts.missed += missing;
    return new CacheError(
      'ERR_MODEL_NOT_CACHED',
      `no result of ${this.name} is stored for an input, and cache is 'only-if-cached'`,
    );
  }

  #tagsFor(input: Input): readonly string[] {
    return this.#tagsOf === undefined ? NO_TAGS : tagsOption('what tags returned', this.#tagsOf(input));
  }

  /** The flight that computes the key, or a new one. */
  #flightOf(
    key: Fingerprint,
    input: Input,
    mode: CacheMode,
    tags: readonly string[],
  ): { flight: Flight<Input, In | Out>; fresh: boolean } {
    const id = key.hex;
    const known = joins(mode) ? this.#flights.get(id) : undefined;
    if (known !== undefined) {
      this.#counts.joined++;
      return { flight: known, fresh: false };
    }
    this.#counts.missed++;
    return { flight: this.#newFlight(key, id, input, mode, tags), fresh: true };
  }

  #newFlight(
    key: Fingerprint,
    id: string,
    input: Input,
    mode: CacheMode,
    tags: readonly string[],
  ): Flight<Input, In | Out> {
    const flight = new Flight<Input, In | Out>(key, id, input, mode === 'no-store');
    flight.tags = tags;
    if (mode === 'no-store') return flight;
    this.#outdate(id); // what was asked for before must not replace it
    this.#flights.set(id, flight);
    return flight;
  }

  /** @param stale what to give if it fails. */
  #join(flight: Flight<Input, In | Out>, fresh: boolean, stale: Out | undefined): Promise<In | Out> {
    let result = flight.join();
    // What JSON or the caller's codec made is the caller's to change: so each gets one of his own.
    if (!fresh && this.codec.sharable !== true) result = result.then((one) => this.#another(one));
    if (stale === undefined) return result;
    return result.catch(() => {
      this.#counts.staleOnError++;
      return stale;
    });
  }

  #another(result: In | Out): Out {
    const { buffer, byteOffset, byteLength } = this.codec.encode(result as In);
    return this.codec.view(buffer.slice(byteOffset, byteOffset + byteLength), 0, byteLength);
  }

  #leave(flight: Flight<Input, In | Out>, reason: unknown): void {
    if (flight.leave(reason)) this.#land(flight);
  }

  #leaveAll(flights: readonly Flight<Input, In | Out>[], reason: unknown): void {
    for (const flight of flights) this.#leave(flight, reason);
  }

  /** Computes what is stale anew, for later callers. */
  #revalidate(finder: Finder<In, Out>, input: Input): void {
    const { key } = finder;
    const id = key.hex;
    if (this.#flights.has(id) || this.#failures?.find(id) !== undefined) return;
    const own = ownOf(input);
    const flight = this.#newFlight(key, id, own, 'default', this.#tagsFor(own));
    flight.hold();
    this.#runner.enqueue(flight);
  }

  /** Computes what was served again, and compares. */
  #verify(key: Fingerprint, input: Input, served: Out): void {
    const verification = this.#verification!;
    const flight = this.#newFlight(key, key.hex, ownOf(input), 'no-store', NO_TAGS);
    flight.hold();
    flight.promise
      .then((computed) => {
        if (verification.compare(flight.id, served as unknown as In, computed as In)) this.clear();
      })
      .catch(() => {}); // it failed, and is counted so; or the cache is closed, and there is nothing to clear
    this.#runner.enqueue(flight);
  }

  /** Later callers do not join it any more. */
  #land(flight: Flight<Input, In | Out>): void {
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
  }

  #outdate(id: string): void {
    this.#failures?.forget(id);
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    flight.stale = true;
    this.#flights.delete(id);
  }

  #store(key: Uint8Array, id: string, input: Input, result: In, tags: readonly string[], cost: number): boolean {
    const stored = this.#answers.store(key, result, { ttl: this.#life.draw(), tags, cost });
    if (stored) this.#inputs.keep(id, key, input);
    return stored;
  }

  #finish(flight: Flight<Input, In | Out>, result: In, cost: number): void {
    if (!this.#isUnchanged(flight)) return;
    try {
      const stored = !flight.stale && this.#stores(flight, result, cost);
      this.#land(flight);
      // A later run may write over its own buffers: so it is what is stored, or a copy.
      flight.resolve((stored ? this.#answers.peek(flight.key) : undefined) ?? this.#another(result));
    } catch (reason) {
      this.#fail(flight, reason); // the codec refused it, or the cache was closed
    }
  }

  /** Throws for what the codec refuses; what is too large for the cache is a result all the same. */
  #stores({ key, id, input, tags }: Flight<Input, In | Out>, result: In, cost: number): boolean {
    try {
      return this.#store(key, id, input, result, tags, cost);
    } catch (reason) {
      if (!(reason instanceof RangeError)) throw reason;
      this.codec.encode(result);
      return false;
    }
  }

  #fail(flight: Flight<Input, In | Out>, reason: unknown): void {
    this.#counts.failed++;
    this.#land(flight);
    // That everybody gave up says nothing of the input.
    if (!flight.stale && !flight.abandoned) this.#failures?.note(flight.id, reason);
    flight.reject(reason);
  }

  /** False, and it has failed, if its input is not what it was when it was asked for. */
  #isUnchanged(flight: Flight<Input, In | Out>): boolean {
    const { input, id } = flight;
    if ((typeof input !== 'object' && typeof input !== 'function') || input === null) return true;
    try {
      if (this.#finders.some((finder) => finder.name(input).hex === id)) return true;
    } catch {
      // Detached, or made into something that has no name: changed, too.
    }
    flight.stale = true; // which says nothing of the input that it was
    const message = `an input of ${this.name} was changed before its result was there; pass a copy`;
    this.#fail(flight, new CacheError('ERR_MODEL_INPUT_CHANGED', message));
    return false;
  }
}
