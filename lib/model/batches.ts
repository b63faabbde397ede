// batches.ts: many inputs at once: one native call looks all of them up, and those that miss are run together.
//
// If a hit needs more than its value (how old it is, whether to compare it, which replica), inputs are looked up one by
// one by the model (model.ts). Those that miss still run together.

import { now } from '../base/time.js';
import { noteAccess } from './access-events.js';
import type { Computations } from './computations.js';
import type { Copies } from './copies.js';
import type { Finder, ManyInputs } from './finder.js';
import type { Flight } from './flights.js';
import type { ModelParts } from './model.js';
import { type Named, namedCopies } from './named.js';
import { type Asked, type CacheMode, joins, looks, notCached } from './options.js';
import type { Outcomes } from './outcomes.js';
import type { Counts } from './report.js';

/** The results of a batch. Those at `places` are still awaited, in that order. */
export interface Begun<Input, In, Out> {
  readonly results: (In | Out | undefined)[];
  readonly places: readonly number[];
  readonly awaited: readonly Promise<In | Out>[];
  readonly flights: readonly Flight<Input, In | Out>[];
}

/** Answers batches of a model without replicas, whose hits need no more than their values. */
export class Batches<Input, In, Out> {
  readonly #parts: ModelParts<Input, In, Out>;
  readonly #finder: Finder<In, Out>;
  readonly #copies: Copies<Input>;
  readonly #computations: Computations<Input, In, Out>;
  readonly #outcomes: Outcomes;
  readonly #counts: Counts;

  constructor(
    parts: ModelParts<Input, In, Out>,
    finder: Finder<In, Out>,
    copies: Copies<Input>,
    computations: Computations<Input, In, Out>,
    outcomes: Outcomes,
    counts: Counts,
  ) {
    this.#parts = parts;
    this.#finder = finder;
    this.#copies = copies;
    this.#computations = computations;
    this.#outcomes = outcomes;
    this.#counts = counts;
  }

  begin(inputs: readonly Input[], { mode, signal }: Asked): Begun<Input, In, Out> {
    const { ledger } = this.#parts;
    const computations = this.#computations;
    const began = now();
    const found = looks(mode) ? this.#finder.findMany(inputs) : undefined;
    const results: (In | Out | undefined)[] = found?.results ?? new Array<undefined>(inputs.length).fill(undefined);
    if (found !== undefined) ledger.now.overheadMs += now() - began;
    else this.#outcomes.bypassed(inputs.length);
    const places: number[] = [];
    for (let i = 0; i < results.length; ++i) {
      if (results[i] === undefined) places.push(i);
      else if (computations.inputs.draws()) computations.keep(found!.keys.keyAt(i), inputs[i]!);
    }
    this.#countHits(results, results.length - places.length, mode, found?.keys);
    for (const i of found?.keys.sampled() ?? []) noteAccess(this.#parts, found!.keys.keyAt(i));
    if (places.length === 0) return { results, places, awaited: [], flights: [] };
    if (mode === 'only-if-cached') {
      if (this.#parts.behind === undefined) {
        const reason = notCached(this.#parts.name, this.#counts, places.length);
        return { results, places, awaited: places.map(() => rejected(reason)), flights: [] };
      }
      const awaited = places.map((i) => computations.elsewhere(found!.keys.keyAt(i)));
      return { results, places, awaited, flights: [] };
    }
    return { results, places, ...this.#runAll(inputs, places, mode, signal, found?.keys) };
  }

  #runAll(
    inputs: readonly Input[],
    places: readonly number[],
    mode: CacheMode,
    signal: AbortSignal | undefined,
    found: ManyInputs | undefined,
  ): Pick<Begun<Input, In, Out>, 'awaited' | 'flights'> {
    const computations = this.#computations;
    const begun = now();
    const named = namedCopies(this.#copies, this.#finder, inputs, places, found);
    this.#parts.ledger.now.overheadMs += now() - begun;
    const tags = named.map((one) => this.#tagsFor(one)); // the caller's code runs before anything is started
    const awaited: Promise<In | Out>[] = [];
    const flights: Flight<Input, In | Out>[] = [];
    const own = new Map<string, Flight<Input, In | Out>>(); // this batch's flights, if flights are not shared
    const started: Flight<Input, In | Out>[] = [];
    for (const [n, one] of named.entries()) {
      const given = tags[n]!;
      if ('reason' in given) {
        awaited.push(rejected(given.reason));
        continue;
      }
      const known = joins(mode) ? undefined : own.get(one.key.hex);
      const { flight, fresh } = known
        ? { flight: known, fresh: false }
        : computations.flightOf(one, mode, given.tags, 'asked', signal);
      if (known) this.#counts.joined++;
      own.set(flight.id, flight);
      if (fresh) started.push(flight);
      flights.push(flight);
      awaited.push(computations.join(flight, fresh, undefined));
    }
    computations.beginMany(started, mode);
    return { awaited, flights };
  }

  /** Those of an input; or why there are none, which fails that input alone. */
  #tagsFor(named: Named<Input>): { tags: readonly string[] } | { reason: unknown } {
    try {
      return { tags: this.#computations.tagsFor(named) };
    } catch (reason) {
      return { reason };
    }
  }

  #countHits(
    results: readonly (In | Out | undefined)[],
    count: number,
    mode: CacheMode,
    found: ManyInputs | undefined,
  ): void {
    if (found === undefined || count === 0) return;
    this.#counts.hits += count;
    const { ledger } = this.#parts;
    if (mode === 'only-if-cached') {
      ledger.now.otherHits += count;
      return;
    }
    ledger.countHits(count, found.costs.known, found.costs.sumMs);
    if (!this.#computations.countsTokens) return;
    for (const result of results)
      if (result !== undefined) ledger.countTokens('hit', this.#computations.usageOf(result));
  }
}

/** Rejects. It is no unhandled rejection if nobody comes to wait for it. */
function rejected(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason);
  promise.catch(() => {});
  return promise;
}
