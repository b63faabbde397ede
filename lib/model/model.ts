// model.ts: memoised inference. A stored result is not computed again. Callers who ask for the same input while it is
// computed share one computation. All other inputs reach the model in batches.
//
//   input -> fingerprint -> keyspace of the model's version: a hit         finder.ts: one native call
//                        -> a copy of the input, which is what is run       copies.ts
//                        -> a flight: somebody computes it already; joined  computations.ts, flights.ts
//                        -> another process has it (`upstream`)             behind.ts
//                        -> a new flight, run with others that miss         runner.ts
//
// A result is stored under the fingerprint of the copy that was run, not of the caller's object.

import { brand, isBranded } from '../base/kinds.js';
import { type Checked, tagOption, typeError } from '../base/options.js';
import { now } from '../base/time.js';
import type { OrView } from '../base/views.js';
import type { Codec } from '../cache/codecs.js';
import type { Entry } from '../cache/entry.js';
import type { Keyspace } from '../cache/keyspace.js';
import type { Fingerprint, FingerprintOptions, Scope, Value } from '../fingerprint/fingerprint.js';
import { noteAccess } from './access-events.js';
import { Batches, type Begun } from './batches.js';
import { type ComputationParts, Computations } from './computations.js';
import { Copies } from './copies.js';
import { Finder, type Naming } from './finder.js';
import { type Purpose, until } from './flights.js';
import type { Life } from './freshness.js';
import { LEDGER, type Ledger, type LedgerSnapshot, snapshotOf } from './ledger.js';
import { type Named, namedAgain, namedCopy } from './named.js';
import { type Asked, inputsOf, looks, notCached, type PredictOptions, predictOptions } from './options.js';
import { Outcomes } from './outcomes.js';
import { type Counts, type ModelReport, type ModelStats, type ReportOptions, reportOf } from './report.js';
import { type DrainOptions, drainTimeout } from './under-way.js';
import { Verification, type VerifyOptions } from './verification.js';

/** What a model works with. @internal */
export interface ModelParts<Input, In, Out> extends ComputationParts<Input, In, Out> {
  readonly scope: Scope;
  /** Makes keys: one for each replica. */
  readonly namings: readonly Naming[];
  /** Which parts of inputs count. */
  readonly rules: FingerprintOptions;
  readonly verify: Checked<VerifyOptions> | undefined;
  /** What identifies it as a stage of a pipeline. */
  readonly identity: unknown;
}

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
  readonly #parts: ModelParts<Input, In, Out>;
  readonly #answers: Keyspace<In, Out, unknown>;
  readonly #finders: readonly Finder<In, Out>[];
  readonly #life: Life;
  readonly #copies: Copies<Input>;
  readonly #computations: Computations<Input, In, Out>;
  readonly #verification: Verification<In> | undefined;
  readonly #batches: Batches<Input, In, Out>;
  readonly #outcomes: Outcomes;
  readonly #counts: Counts = {
    hits: 0,
    upstreamHits: 0,
    staleHits: 0,
    joined: 0,
    missed: 0,
    failed: 0,
    staleOnError: 0,
    failedAgain: 0,
  };
  readonly #ledger: Ledger;

  /** @internal */
  constructor(parts: ModelParts<Input, In, Out>) {
    const { name, version, codec, answers, verify } = parts;
    this.name = name;
    this.version = version;
    this.scope = parts.scope;
    this.codec = codec;
    this.identity = parts.identity;
    this.#parts = parts;
    this.#answers = answers;
    this.#finders = parts.namings.map((naming) => new Finder(answers, naming));
    this.#ledger = parts.ledger;
    this.#life = parts.life;
    this.#copies = new Copies(parts.rules);
    this.#outcomes = new Outcomes(answers);
    this.#computations = new Computations(parts, this.#copies, this.#counts, this.#outcomes, (named, found, cost) => {
      if (this.#verification?.draws()) this.#compare(named, found, cost);
    });
    const { [0]: finder } = this.#finders;
    this.#batches = new Batches(parts, finder!, this.#copies, this.#computations, this.#outcomes, this.#counts);
    this.#verification = verify === undefined ? undefined : new Verification(verify, codec, this);
  }

  /** The key under which an input's result is stored. With `replicas`, the first one's. */
  fingerprint(input: OrView<Input>): Fingerprint {
    return this.#finders[0]!.name(input);
  }

  /**
   * The result for an input: the stored one, or the one that the model computes.
   *
   * `run` gets a copy of the input. The caller may change the original as soon as `predict` has returned.
   *
   * Rejects with the error of `run`; with `signal`'s reason; with a CacheError `ERR_MODEL_NOT_CACHED`
   * (`only-if-cached`), `ERR_MODEL_TIMEOUT`, `ERR_MODEL_DRAINED`, or `ERR_MODEL_RESULT` (`run` did not give one result
   * for each input, or the codec refused one); with a TypeError for an input that has no fingerprint. Cost: a hit is one native call,
   * which makes the fingerprint and looks it up. It takes 1 µs for a short text; for a
   *   tensor of 1 024 float32 2 µs if it came lately, otherwise 10. A miss copies the input, and names the copy of an
   *   object again.
   */
  async predict(input: OrView<Input>, options?: PredictOptions): Promise<In | Out> {
    return this.#answer(input as Input, this.#asked(options), undefined, 'asked');
  }

  /** The same. `found` is called if the result comes from what lies behind. @internal */
  async predictTold(input: Input, options: PredictOptions | undefined, found: () => void): Promise<In | Out> {
    return this.#answer(input, { ...this.#asked(options), found }, undefined, 'asked');
  }

  /** The same for an input that nobody asks for yet. @internal */
  async promote(input: Input, options?: PredictOptions): Promise<In | Out> {
    return this.#answer(input, this.#asked(options), undefined, 'promote');
  }

  /** @param value the input as it is hashed, if that is known already. */
  #answer(
    input: Input,
    { signal, mode, found: told }: Asked,
    value: Value | undefined,
    purpose: Purpose,
  ): In | Out | Promise<In | Out> {
    const finder = this.#anyFinder();
    const computations = this.#computations;
    let stale: Out | undefined;
    let key: Fingerprint | undefined;
    if (looks(mode)) {
      const found = this.#find(finder, input, value);
      if (finder.isSampled && purpose === 'asked') noteAccess(this.#parts, finder.key);
      if (found !== undefined) {
        const freshness = this.#life.ends ? this.#life.of(finder.left) : 'fresh';
        const served = freshness !== 'if-error' || mode === 'only-if-cached';
        if (freshness !== 'fresh') this.#outcomes.old(served); // at once: see there
        if (served) {
          this.#counts.hits++;
          const { cost } = finder;
          const avoidsRun = mode !== 'only-if-cached' && purpose === 'asked';
          if (!avoidsRun) this.#ledger.now.otherHits++;
          else {
            this.#ledger.countHit(cost);
            if (computations.countsTokens) this.#ledger.countTokens('hit', computations.usageOf(found));
          }
          if (computations.inputs.draws()) computations.keep(finder.key, input);
          if (freshness === 'revalidate') this.#counts.staleHits++;
          if (mode !== 'only-if-cached') {
            if (freshness === 'revalidate') this.#revalidate(finder, input);
            else if (this.#verification?.draws()) this.#verify(finder, input, found, avoidsRun ? cost : undefined);
          }
          return found;
        }
        stale = found;
      }
      if (mode === 'only-if-cached') return until(computations.elsewhere(finder.key), signal, () => {});
      key = finder.key;
      const failure = computations.failure(key.hex);
      if (failure !== undefined) {
        this.#counts.failedAgain++;
        this.#outcomes.negative();
        if (stale === undefined) throw failure.reason;
        this.#counts.staleOnError++;
        return stale;
      }
    } else this.#outcomes.bypassed();
    const begun = now();
    const named = namedCopy(this.#copies, finder, input, key);
    this.#ledger.now.overheadMs += now() - begun;
    const { flight, fresh } = computations.flightOf(named, mode, computations.tagsFor(named), purpose, signal);
    const result = until(computations.join(flight, fresh, stale), signal, (reason) =>
      computations.leave(flight, reason),
    );
    if (fresh) computations.begin(flight, mode);
    if (told !== undefined)
      result.then(
        () => flight.wasFound && told(),
        () => {},
      );
    return result;
  }

  /**
   * The results for many inputs, in their order. Inputs without a result are run at once, each once, `maxBatch`
   * together. Rejects as {@link predict}, with the first failure; the other results are stored. TypeError for a hole in
   * the array, RangeError for more than 2^24 inputs.
   */
  async predictMany(inputs: readonly OrView<Input>[], options?: PredictOptions): Promise<(In | Out)[]> {
    const asked = this.#asked(options);
    const { results, places, awaited, flights } = this.#begin(inputs as readonly Input[], asked);
    if (places.length === 0) return results as Out[];
    const computed = await until(Promise.all(awaited), asked.signal, (reason) =>
      this.#computations.leaveAll(flights, reason),
    );
    for (const [n, place] of places.entries()) results[place] = computed[n];
    return results as (In | Out)[];
  }

  /**
   * The same, but an input that fails does so alone: for each input what `Promise.allSettled` gives. Rejects with
   * `signal`'s reason, and for inputs that cannot be named, as {@link predictMany}.
   */
  async settle(inputs: readonly OrView<Input>[], options?: PredictOptions): Promise<PromiseSettledResult<In | Out>[]> {
    return this.settleMany(inputs as readonly Input[], options);
  }

  /** @param askedInputs  of a pipeline's stage: which of the inputs a caller asked for. @internal */
  async settleMany(
    inputs: readonly Input[],
    options: PredictOptions | undefined,
    askedInputs?: readonly boolean[],
  ): Promise<PromiseSettledResult<In | Out>[]> {
    const asked = { ...this.#asked(options), askedInputs };
    const { results, places, awaited, flights } = this.#begin(inputs, asked);
    const computed = await until(Promise.allSettled(awaited), asked.signal, (reason) =>
      this.#computations.leaveAll(flights, reason),
    );
    const settled = results.map((value): PromiseSettledResult<In | Out> => ({ status: 'fulfilled', value: value! }));
    for (const [n, place] of places.entries()) settled[place] = computed[n]!;
    return settled;
  }

  #begin(given: readonly Input[], asked: Asked): Begun<Input, In, Out> {
    const inputs = inputsOf(given);
    const singly = this.#life.ends || this.#verification !== undefined || this.#computations.remembersFailures;
    if (this.#finders.length > 1 || singly || asked.askedInputs !== undefined) return this.#beginEach(inputs, asked);
    return this.#batches.begin(inputs, asked);
  }

  /** Looks the inputs up one by one, because a hit may need more than its value. Misses still run together. */
  #beginEach(inputs: readonly Input[], asked: Asked): Begun<Input, In, Out> {
    const values = this.#finders[0]!.prepareMany(inputs); // all inputs, before the first is looked up
    const purposeOf = (i: number) => (asked.askedInputs?.[i] === false ? 'inner' : 'asked');
    const awaited = inputs.map(async (input, i) => this.#answer(input, asked, values[i], purposeOf(i)));
    const results = new Array<In | Out | undefined>(awaited.length).fill(undefined);
    return { results, places: awaited.map((_, i) => i), awaited, flights: [] };
  }

  /** The stored result for the input, stale or not; undefined if there is none. Counts nothing. */
  peek(input: OrView<Input>): Out | undefined {
    for (const finder of this.#finders) {
      const found = this.#answers.peek(finder.name(input));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Facts about the stored result: age, time to live, cost, worth. With replicas, the first one's. Counts nothing. */
  entry(input: OrView<Input>): Entry<Out> | undefined {
    return this.#answers.entry(this.#finders[0]!.name(input));
  }

  /**
   * Stores a result that was computed elsewhere. A result that is being computed here will not replace it. With
   * replicas, it is stored as the first one.
   */
  set(input: OrView<Input>, result: In): boolean {
    return this.#computations.set(namedCopy(this.#copies, this.#finders[0]!, input as Input, undefined), result);
  }

  /** Forgets the results for an input. One that is being computed will not be stored. Returns whether there was one. */
  delete(input: OrView<Input>): boolean {
    let deleted = false;
    for (const finder of this.#finders) {
      deleted = this.#computations.delete(finder.name(input)) || deleted;
    }
    return deleted;
  }

  /**
   * Forgets the results that were stored with this tag. Those that are being computed with it will not be stored.
   * Returns how many were stored.
   *
   * @throws {TypeError} the model has an `upstream`, which has no tags.
   */
  invalidateByTag(tag: string): number {
    if (this.#parts.behind !== undefined) throw typeError('invalidateByTag', 'a model without upstream', tag);
    const name = tagOption('tag', tag);
    this.#computations.outdateTagged(name);
    return this.#answers.deleteByTag(name);
  }

  /** Forgets all results of this version, also those that are being computed. What lies behind keeps its own. */
  clear(): void {
    this.outdateAll();
    this.#answers.clear();
  }

  /** From now on, what is being computed will not be stored. @internal */
  outdateAll(): void {
    this.#computations.outdateAll();
  }

  /** After too many mismatches (`verify`): uses the cache again, and compares anew. */
  trust(): void {
    this.#verification?.trust();
  }

  /**
   * The kept inputs (`keepInputs`), the hottest first: copies, without the members that `fingerprint.exclude` names.
   */
  hottest(count: number): Input[] {
    return this.#computations.inputs.hottest(count).map((input) => this.#copies.of(input).input);
  }

  /** @internal */
  get replicas(): number {
    return this.#finders.length;
  }

  /** @internal */
  get hits(): number {
    return this.#counts.hits;
  }

  /**
   * Ends the model: finishes what is under way, and refuses what is new with a CacheError `ERR_MODEL_DRAINED`. Stored
   * results are still given. While this model is busy, runs of other models may ask it, if they hand on their `signal`, as
   * pipelines do. So drain a pipeline before its stages; `cache.close` with `drain` waits for all of them together.
   *
   * Models of one name, version, scope and parameters share computations. What another one of them began is not waited
   * for. If what this one began is given up, callers of the others who joined it get the error too.
   *
   * The cache stays open, and `cache.model` makes a new model.
   *
   * @returns whether everything finished within `timeout`.
   * @throws {TypeError | RangeError} an option is wrong.
   */
  async drain(options?: DrainOptions): Promise<boolean> {
    return this.#parts.underWay.drain(drainTimeout(options));
  }

  stats(): ModelStats {
    const counts = this.#counts;
    const { runner, inputs } = this.#computations;
    const { computed, runs, runMs, timedOut } = runner;
    const { verified = 0, mismatches = 0, distrusted = false } = this.#verification ?? {};
    const asked = counts.hits + counts.upstreamHits + counts.joined + counts.missed + counts.failedAgain;
    const kept = { keptInputs: inputs.count, keptBytes: inputs.bytes };
    const { hit, refresh, verify } = this.#ledger.total();
    const ms = { savedMs: hit.ms, refreshMs: refresh.ms, verifyMs: verify.ms };
    const { behind } = this.#parts;
    return {
      ...{ asked, ...counts, computed, runs, runMs, timedOut, verified, mismatches, distrusted, ...ms, ...kept },
      ...(behind && { upstream: behind.stats() as never }), // lib/tier says what it is
    };
  }

  /**
   * What the cache saved: the time of the runs that made what hits were answered with, less the time of lookups and of
   * runs without a caller. Callers who joined a run are counted apart: without a cache the model would have run their
   * inputs too. Models of one name, version and scope share these figures. `report` of `zerohop/report` says more.
   */
  report(options: ReportOptions): ModelReport {
    return reportOf(this.stats(), this.#ledger.total(), options);
  }

  /** What it saved, for `zerohop/report`. */
  [LEDGER](): LedgerSnapshot {
    return snapshotOf([this.#ledger]);
  }

  #asked(options: PredictOptions | undefined): Asked {
    const asked = predictOptions(options);
    if (this.#verification?.distrusted !== true) return asked;
    if (asked.mode === 'only-if-cached') throw notCached(this.name, this.#counts);
    return { signal: asked.signal, mode: 'no-store' };
  }

  #anyFinder(): Finder<In, Out> {
    const { length } = this.#finders;
    return this.#finders[length === 1 ? 0 : Math.floor(Math.random() * length)]!;
  }

  #find(finder: Finder<In, Out>, input: Input, value: Value | undefined): Out | undefined {
    if (!this.#ledger.times()) return finder.find(input, value);
    const begun = now();
    const found = finder.find(input, value);
    this.#ledger.timed(now() - begun);
    return found;
  }

  /** Computes a stale result anew, for later callers. */
  #revalidate(finder: Finder<In, Out>, input: Input): void {
    const { key } = finder;
    if (this.#computations.isBusy(key.hex)) return;
    const named = namedAgain(this.#copies, finder, input, key);
    if (named !== undefined) this.#computations.refresh(named);
  }

  /** Computes a served result again, and compares the two. */
  #verify(finder: Finder<In, Out>, input: Input, served: Out, cost: number | undefined): void {
    const named = namedAgain(this.#copies, finder, input, finder.key);
    if (named !== undefined) this.#compare(named, served, cost);
  }

  /** @param cost  of the run that the served result avoided, 0 if it is not known; undefined: it avoided none */
  #compare(named: Named<Input>, served: Out, cost: number | undefined): void {
    const { hex } = named.key;
    this.#computations
      .again(named)
      .then((computed) => {
        const { differs, distrusts } = this.#verification!.compare(hex, served as unknown as In, computed as In);
        this.#ledger.now.compared++;
        this.#outcomes.verified(!differs);
        // A wrong answer saved nothing.
        if (differs && cost !== undefined) this.#ledger.count('rejected', cost, this.#computations.usageOf(served));
        if (distrusts) this.clear();
      })
      .catch(() => {}); // the run failed, and is counted; or the cache is closed, and there is nothing to clear
  }
}

brand(Model.prototype, 'Model');

/** A Model of any copy of the library. @internal */
export const isModel = (value: unknown): value is Model<unknown, unknown, unknown> => isBranded(value, 'Model');
