// computations.ts: computations of a model, from the first miss to the stored result: how callers join and leave, which
// results must not be stored any more, and how failures are handled.

import { tagsOption } from '../base/options.js';
import { now } from '../base/time.js';
import type { Codec } from '../cache/codecs.js';
import type { Keyspace } from '../cache/keyspace.js';
import type { Fingerprint } from '../fingerprint/fingerprint.js';
import type { Behind, Found } from './behind.js';
import type { Copies } from './copies.js';
import { Backoff, Failures } from './failures.js';
import { Flight, type Purpose } from './flights.js';
import type { Life } from './freshness.js';
import { type CheckedKeepInputsOptions, KeptInputs } from './inputs.js';
import type { FlightsOf, LateFlights } from './late.js';
import { type CheckedUsage, type Ledger, type TokenUsage, usageOf } from './ledger.js';
import type { Named } from './named.js';
import { type CacheMode, joins, notCached } from './options.js';
import type { Outcomes } from './outcomes.js';
import type { Counts } from './report.js';
import { type Given, wasComputed } from './results.js';
import { type Landing, Runner, type RunnerParts } from './runner.js';
import { Storing } from './storing.js';
import type { UnderWay } from './under-way.js';

/** What computations work with. @internal */
export interface ComputationParts<Input, In, Out> extends RunnerParts<Input> {
  readonly codec: Codec<In, Out, unknown>;
  readonly behind: Behind | undefined;
  readonly answers: Keyspace<In, Out, unknown>;
  /** Models of one keyspace share them. */
  readonly flights: FlightsOf<Input, In | Out>;
  readonly underWay: UnderWay;
  readonly life: Life;
  readonly negativeTtlMs: number;
  readonly keepInputs: CheckedKeepInputsOptions;
  readonly tags: ((input: Input) => readonly string[]) | undefined;
  readonly ledger: Ledger;
  readonly usage: ((result: In | Out) => TokenUsage | undefined) | undefined;
}

/** What a run is counted as. */
const kindOf = (purpose: Exclude<Purpose, 'inner'>) => (purpose === 'promote' ? 'refresh' : purpose);

const NO_TAGS: readonly string[] = [];

export class Computations<Input, In, Out> {
  readonly #parts: ComputationParts<Input, In, Out>;
  readonly #copies: Copies<Input>;
  readonly #counts: Counts;
  readonly #outcomes: Outcomes;
  readonly #flights: Map<string, Flight<Input, In | Out>>;
  readonly #late: LateFlights<Input, In | Out>;
  readonly #failures: Failures | undefined;
  readonly #backoff = new Backoff();
  /** Called with a result that was found behind. `cost` is 0, or undefined: it avoided no run. */
  readonly #verify: (named: Named<Input>, found: Out, cost: number | undefined) => void;
  readonly runner: Runner<Input, In, In | Out>;
  readonly inputs: KeptInputs<Input>;
  readonly #storing: Storing<Input, In, Out>;

  constructor(
    parts: ComputationParts<Input, In, Out>,
    copies: Copies<Input>,
    counts: Counts,
    outcomes: Outcomes,
    verify: (named: Named<Input>, found: Out, cost: number | undefined) => void,
  ) {
    this.#parts = parts;
    this.#copies = copies;
    this.#counts = counts;
    this.#outcomes = outcomes;
    this.#flights = parts.flights.current;
    this.#late = parts.flights.late;
    this.#verify = verify;
    this.#failures = parts.negativeTtlMs > 0 ? new Failures(parts.negativeTtlMs) : undefined;
    this.inputs = new KeptInputs(parts.keepInputs, (key) => parts.answers.has(key));
    this.#storing = new Storing(parts, this.inputs);
    const landing: Landing<Input, In, In | Out> = {
      finish: (flight, given, cost) => this.#finish(flight, given, cost),
      fail: (flight, reason) => this.#fail(flight, reason),
      ran: (flights, cost) => {
        let asked = 0;
        for (const { purpose } of flights)
          if (purpose === 'asked') asked++;
          else if (purpose !== 'inner') parts.ledger.count(kindOf(purpose), cost);
        parts.ledger.count('asked', cost, undefined, asked);
        outcomes.ran(flights.length, cost * flights.length);
      },
      landed: (ms) => {
        parts.ledger.now.overheadMs += ms;
      },
      timedOut: () => outcomes.timedOut(),
      goesOn: (giveUp) => this.#goesOn(giveUp),
      lateIsOver: (giveUp) => {
        parts.underWay.lateIsOver(giveUp);
        this.#late.runEnded();
      },
      keepLate: (flight, given, cost) => this.#keepLate(flight, given, cost),
      dropLate: (flight) => this.#late.drop(flight),
    };
    this.runner = new Runner(parts, landing);
  }

  /** The error of a run that failed a moment ago (`negativeTtl`), in a box. */
  failure(id: string): { reason: unknown } | undefined {
    return this.#failures?.find(id);
  }

  /** Keeps the input of a hit, for `keepInputs`. */
  keep(key: Fingerprint, input: Input): void {
    try {
      this.inputs.keep(key.hex, key, () => this.#copies.toKeep(input));
    } catch {
      // The caller's code ran again and failed. The hit is served all the same.
    }
  }

  get remembersFailures(): boolean {
    return this.#failures !== undefined;
  }

  /** The tags for the copy. Calls the caller's `tags`, which may run anything. */
  tagsFor({ input }: Named<Input>): readonly string[] {
    const { tags } = this.#parts;
    return tags === undefined ? NO_TAGS : tagsOption('what tags returned', tags(input));
  }

  /** The flight that computes the key; or a new one, which the caller of this method starts. */
  flightOf(
    named: Named<Input>,
    mode: CacheMode,
    tags: readonly string[],
    purpose: Purpose = 'asked',
    signal: AbortSignal | undefined = undefined,
  ): { flight: Flight<Input, In | Out>; fresh: boolean } {
    const known = joins(mode) ? this.#flights.get(named.key.hex) : undefined;
    if (known !== undefined && this.#storing.isCurrent(known) && known.search?.isCurrent !== false) {
      this.#counts.joined++;
      this.#outcomes.coalesced();
      return { flight: known, fresh: false };
    }
    const refusal = this.#parts.underWay.refusal(signal);
    if (refusal !== undefined) return { flight: this.#refused(named, purpose, refusal), fresh: false };
    if (!this.#isSought(mode)) this.#counts.missed++;
    return { flight: this.#newFlight(named, mode === 'no-store', tags, purpose), fresh: true };
  }

  /** One that has failed already: the model is drained. Nothing is run or remembered. */
  #refused({ key, input }: Named<Input>, purpose: Purpose, reason: unknown): Flight<Input, In | Out> {
    this.#counts.missed++;
    const none = { kept: undefined, tags: NO_TAGS, unstored: true, generation: 0, invalidations: 0 };
    const flight = new Flight<Input, In | Out>({ key, id: key.hex, input, purpose, ...none });
    flight.reject(reason);
    return flight;
  }

  /** Whether what misses is looked for behind. */
  #isSought(mode: CacheMode): boolean {
    return this.#parts.behind !== undefined && joins(mode);
  }

  /** Has a new flight run soon, unless its result is behind. */
  begin(flight: Flight<Input, In | Out>, mode: CacheMode): void {
    if (this.#isSought(mode)) this.#seek(flight);
    else this.runner.enqueue(flight);
  }

  /** The same for many, together and at once. */
  beginMany(flights: readonly Flight<Input, In | Out>[], mode: CacheMode): void {
    if (!this.#isSought(mode)) this.runner.start(flights);
    else for (const flight of flights) this.#seek(flight);
  }

  #seek(flight: Flight<Input, In | Out>): void {
    const search = this.#parts.behind!.seek(flight.key as Fingerprint);
    flight.search = search;
    search.found
      .then((found) => {
        if (found === undefined) this.#miss(flight);
        else return this.#found(flight, found);
      })
      .catch((reason) => this.#fail(flight, reason)); // the cache was closed
  }

  #miss(flight: Flight<Input, In | Out>): void {
    this.#counts.missed++;
    if (flight.abandoned) flight.search?.end();
    else this.runner.enqueue(flight);
  }

  async #found(flight: Flight<Input, In | Out>, found: Found): Promise<void> {
    const { key, id, input, kept } = flight;
    const { ledger, life } = this.#parts;
    const freshness = life.ends ? life.of(found.leftMs) : 'fresh';
    if (freshness === 'if-error') {
      flight.fallback = { result: found.result as Out };
      await this.#renew(flight);
      this.#miss(flight);
      return;
    }
    const result = found.result as Out;
    flight.wasFound = true;
    this.#counts.upstreamHits++;
    if (flight.purpose === 'asked')
      ledger.count('hit', 0, this.usageOf(result)); // its run's time is not known
    else ledger.now.otherHits++;
    this.#countJoined(flight, result, 0);
    this.#land(flight);
    this.#backoff.forget(id);
    if (kept !== undefined && !flight.stale) this.inputs.keep(id, key, () => kept);
    flight.resolve(result);
    const named = { key: key as Fingerprint, input };
    if (freshness === 'fresh') this.#verify(named, result, flight.purpose === 'asked' ? 0 : undefined);
    else {
      this.#counts.staleHits++;
      this.refresh(named);
    }
  }

  /** What is behind, for a caller who wants no run. Throws, or rejects, if there is nothing. */
  elsewhere(key: Fingerprint): Promise<Out> {
    const { behind } = this.#parts;
    if (behind === undefined) throw notCached(this.#parts.name, this.#counts);
    return this.#elsewhere(behind, key);
  }

  async #elsewhere(behind: Behind, key: Fingerprint): Promise<Out> {
    const { ledger, life, name } = this.#parts;
    const found = await behind.peek(key);
    if (found === undefined) throw notCached(name, this.#counts);
    this.#counts.upstreamHits++;
    ledger.now.otherHits++;
    if (life.ends && life.of(found.leftMs) === 'revalidate') this.#counts.staleHits++;
    return found.result as Out;
  }

  /** Computes it for later callers, unless it is being computed, or failed a moment ago. If tags throw, it fails. */
  refresh(named: Named<Input>): void {
    let tags: readonly string[];
    try {
      tags = this.tagsFor(named);
    } catch {
      this.#counts.failed++;
      this.#outcomes.failed();
      this.#backoff.failed(named.key.hex);
      return;
    }
    if (this.isBusy(named.key.hex)) return;
    const flight = this.#newFlight(named, false, tags, 'refresh');
    if (this.#parts.behind === undefined) this.runner.enqueue(flight);
    else void this.#refreshForAll(flight);
  }

  /** Computes a stale result anew, unless another process does. */
  async #refreshForAll(flight: Flight<Input, In | Out>): Promise<void> {
    const othersForMs = await this.#renew(flight);
    if (flight.abandoned || (othersForMs > 0 && !flight.isAwaited)) {
      this.#land(flight);
      if (othersForMs > 0) this.#backoff.rest(flight.id, othersForMs); // then its result is told of, or it failed
    } else this.runner.enqueue(flight);
  }

  /**
   * Takes the right to replace a stale result behind. If another process has it, gives for how many ms at most; then
   * what a run here gives is for its callers only: the other one's result is stored. Never rejects.
   */
  async #renew(flight: Flight<Input, In | Out>): Promise<number> {
    const right = await this.#parts.behind!.renew(flight.key as Fingerprint);
    if (typeof right === 'number') {
      flight.search = undefined;
      flight.stale = true;
      return right;
    }
    flight.search = right;
    return 0;
  }

  /** Whether computing it in the background now would be of no use. */
  isBusy(id: string): boolean {
    return (
      !this.#parts.underWay.isOpen || this.#flights.has(id) || this.failure(id) !== undefined || this.#backoff.rests(id)
    );
  }

  /** Computes it apart from everything else, and stores nothing. */
  again(named: Named<Input>): Promise<In | Out> {
    const refusal = this.#parts.underWay.refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const flight = this.#newFlight(named, true, NO_TAGS, 'verify');
    this.runner.enqueue(flight);
    return flight.promise;
  }

  #newFlight(
    { key, input }: Named<Input>,
    unstored: boolean,
    tags: readonly string[],
    purpose: Purpose,
  ): Flight<Input, In | Out> {
    const id = key.hex;
    const kept = this.inputs.wanted && !unstored ? this.#copies.toKeep(input) : undefined;
    const generation = unstored ? 0 : this.#parts.answers.generation();
    const invalidations = this.#parts.flights.invalidations.time;
    const terms = { tags, unstored, purpose, generation, invalidations };
    const flight = new Flight<Input, In | Out>({ key, id, input, kept, ...terms });
    this.#parts.underWay.begin(flight, (reason) => flight.end(reason, (ended) => this.#landGivenUp(ended)));
    if (unstored) return flight;
    this.#supersede(id); // a result that was asked for before must not replace it
    this.#flights.set(id, flight);
    return flight;
  }

  /** @param stale the result to give if the run fails. */
  join(flight: Flight<Input, In | Out>, fresh: boolean, stale: Out | undefined): Promise<In | Out> {
    let result = flight.join();
    // A caller may change a value that JSON or a codec of the caller made. So each caller gets one of its own.
    if (!fresh && this.#parts.codec.sharable !== true)
      result = result.then((one) => this.#timed(() => this.#storing.another(one)));
    if (stale === undefined) return result;
    return result.catch(() => {
      this.#counts.staleOnError++;
      return stale;
    });
  }

  leave(flight: Flight<Input, In | Out>, reason: unknown): void {
    flight.leave(reason, (left) => this.#landGivenUp(left));
  }

  leaveAll(flights: readonly Flight<Input, In | Out>[], reason: unknown): void {
    for (const flight of flights) this.leave(flight, reason);
  }

  /** Stores a result that was computed elsewhere. */
  set(named: Named<Input>, result: In): boolean {
    const tags = this.tagsFor(named);
    this.outdate(named.key.hex);
    return this.#storing.set(named, () => this.#copies.toKeep(named.input), result, tags);
  }

  /** From now on, nobody joins what is being computed under the key, and it will not be stored. */
  outdate(id: string): void {
    this.#backoff.forget(id);
    this.#late.outdate(id);
    this.#supersede(id);
  }

  #supersede(id: string): void {
    this.#failures?.forget(id);
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    flight.stale = true;
    this.#flights.delete(id);
  }

  outdateTagged(tag: string): void {
    this.#parts.flights.invalidations.note(tag);
    for (const flight of [...this.#flights.values()]) if (flight.tags.includes(tag)) this.outdate(flight.id);
    for (const id of this.#late.tagged(tag)) this.outdate(id);
  }

  outdateAll(): void {
    for (const id of [...this.#flights.keys()]) this.outdate(id);
    this.#late.clear();
    this.#failures?.clear();
    this.#backoff.clear();
    this.inputs.clear();
  }

  /** Forgets a stored result, here and behind. */
  delete(key: Fingerprint): boolean {
    const { answers, behind } = this.#parts;
    this.outdate(key.hex);
    this.inputs.forget(key.hex);
    return behind === undefined ? answers.delete(key) : behind.delete(key);
  }

  /** Keeps later callers from joining the flight, and others from waiting for it. */
  #land(flight: Flight<Input, In | Out>): void {
    flight.search?.end();
    this.#parts.underWay.done(flight);
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
  }

  /** Its callers gave up, or the model ends. */
  #landGivenUp(flight: Flight<Input, In | Out>): void {
    this.#land(flight);
    this.runner.gaveUp();
  }

  #finish(flight: Flight<Input, In | Out>, given: Given<In>, runMs: number): void {
    const cost = given.terms?.cost ?? runMs;
    try {
      const own = this.#keptOrCopied(flight, given, cost);
      if (wasComputed(given)) this.#count(flight, given.value, cost);
      else this.#countFound(flight, given.value, cost);
      flight.resolve(own);
    } catch (reason) {
      this.#fail(flight, reason); // the codec refused the result, or the cache was closed
    }
  }

  #keptOrCopied(flight: Flight<Input, In | Out>, given: Given<In>, cost: number): Out {
    const stored = !flight.stale && this.#storing.keep(flight, given, cost);
    this.#land(flight);
    this.#backoff.forget(flight.id);
    if (stored) this.#late.outdate(flight.id); // those began before it
    // A later run may overwrite its own buffers. So callers get what was stored, or a copy.
    return (stored ? this.#parts.answers.peek(flight.key) : undefined) ?? this.#storing.copyOf(given);
  }

  /** Counts the time as our own. */
  #timed<Result>(work: () => Result): Result {
    const begun = now();
    try {
      return work();
    } finally {
      this.#parts.ledger.now.overheadMs += now() - begun;
    }
  }

  /** Counts the tokens of a run, and who joined it. */
  #count(flight: Flight<Input, In | Out>, result: In, cost: number): void {
    const { purpose } = flight;
    if (this.countsTokens && purpose !== 'inner') this.#parts.ledger.countTokens(kindOf(purpose), this.usageOf(result));
    this.#countJoined(flight, result, cost);
  }

  /** A result that its run found elsewhere. `cost`: what computing it took there, 0 if that is not known. */
  #countFound(flight: Flight<Input, In | Out>, result: In, cost: number): void {
    const { purpose } = flight;
    flight.wasFound = true;
    if (flight.isAsked) {
      this.#counts.missed--;
      this.#counts.upstreamHits++;
    }
    if (purpose === 'asked') this.#parts.ledger.count('hit', cost, this.usageOf(result));
    else this.#parts.ledger.now.otherHits++;
    this.#countJoined(flight, result, cost);
  }

  #countJoined({ joined }: Flight<Input, In | Out>, result: In | Out, cost: number): void {
    if (joined > 0) this.#parts.ledger.count('coalesced', cost, this.usageOf(result), joined);
  }

  /** Whether a run that is late may go on. `giveUp` ends it. */
  #goesOn(giveUp: (reason: unknown) => void): boolean {
    const { storesLate, underWay } = this.#parts;
    if (!storesLate || !underWay.isOpen || this.#late.isFull) return false;
    underWay.isLate(giveUp);
    this.#late.runBegan();
    return true;
  }

  /** Unless it was set, deleted, or computed by a later run meanwhile. */
  #keepLate(flight: Flight<Input, In | Out>, given: Given<In>, cost: number): void {
    try {
      this.#late.keep(flight, () => {
        const stored = this.#storing.keep(flight, given, given.terms?.cost ?? cost);
        if (stored) this.#failures?.forget(flight.id);
        return stored;
      });
    } catch {
      // Its callers have their error. The codec refused it, or the cache is closed.
    }
  }

  get countsTokens(): boolean {
    return this.#parts.usage !== undefined;
  }

  /** The tokens of a result, if the model was opened with `usage`. What fails is not known. */
  usageOf(result: In | Out): CheckedUsage | undefined {
    try {
      const { usage } = this.#parts;
      return usage && usageOf(usage(result));
    } catch {
      return undefined;
    }
  }

  #fail(flight: Flight<Input, In | Out>, reason: unknown): void {
    this.#counts.failed++;
    this.#outcomes.failed();
    this.#land(flight);
    // If every caller gave up, that says nothing about the input.
    if (!flight.stale) {
      this.#failures?.note(flight.id, reason);
      if (flight.run?.late !== undefined) this.#late.add(flight);
      if (flight.purpose === 'refresh') this.#backoff.failed(flight.id);
    }
    if (flight.fallback === undefined) flight.reject(reason);
    else {
      this.#counts.staleOnError += flight.joined + 1;
      flight.resolve(flight.fallback.result);
    }
  }
}
