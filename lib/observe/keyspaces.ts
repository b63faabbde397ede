// keyspaces.ts: the counts of all keyspaces of a cache, a slice at a time, summed by label.
//
// Counters must never fall: a scraper takes a lower number for a new start, and counts all of it again. A count can be
// seen a moment too high, while a model corrects it (lib/model/outcomes.ts) in another thread. So each number that was
// told is remembered, and nothing lower is told later.
//
// Which keyspaces have a label of their own depends on the order in which they were opened. So no count moves from one
// label to another.

import { COUNTS, type CountName, native, TIME_BOUNDS, TIME_BUCKETS } from '../addon/native.js';
import type { Ledger } from '../model/ledger.js';
import { RESULTS, type Times, timesOf } from './catalog.js';
import { type Label, labelOf, OTHER, printable } from './labels.js';
import { savedSecondsOf } from './report.js';

/** Keyspaces that are read before the event loop goes on. Reading one takes some 0.3 µs. */
const SLICE = 128;

const ENTRIES = COUNTS.length;
const ROW = COUNTS.length + 1;
const PLACES = Object.fromEntries(COUNTS.map((name, place) => [name, place])) as Record<CountName, number>;

/** What the keyspaces of one label counted together. */
export class Row {
  /** Values of the labels `cache` and `keyspace`, or `model`. The same array each time: it is written out once. */
  readonly labels: readonly string[];
  /** Of models' keyspaces: results that only models have are told for them. */
  readonly ofModel: boolean;
  readonly #sums = new Float64Array(ROW);
  readonly #results = new Float64Array(RESULTS.length);
  readonly #withOneMore = new Map<string, readonly string[]>();

  constructor(labels: readonly string[], ofModel: boolean) {
    this.labels = labels;
    this.ofModel = ofModel;
  }

  /** The labels and one more; likewise. */
  labelsAnd(value: string): readonly string[] {
    let labels = this.#withOneMore.get(value);
    if (labels === undefined) {
      labels = [...this.labels, value];
      this.#withOneMore.set(value, labels);
    }
    return labels;
  }

  get(count: CountName): number {
    return this.#sums[PLACES[count]]!;
  }

  get entries(): number {
    return this.#sums[ENTRIES]!;
  }

  /** Lookups by result, in the order of RESULTS. */
  get results(): ArrayLike<number> {
    return this.#results;
  }

  begin(): void {
    this.#sums.fill(0);
  }

  add(rows: Float64Array, at: number): void {
    for (let i = 0; i < ROW; ++i) this.#sums[i]! += rows[at + i]!;
  }

  /** All keyspaces were added. */
  end(): void {
    const copied = this.get('copiedHits');
    this.#tell(0, this.get('hits') - copied + this.get('movedHits'));
    this.#tell(1, copied + this.get('movedCopies'));
    this.#tell(2, this.get('misses') + this.get('movedMisses'));
    this.#tell(3, this.get('stale'));
    this.#tell(4, this.get('coalesced'));
    this.#tell(5, this.get('negative'));
    this.#tell(6, this.get('bypassed'));
  }

  #tell(result: number, count: number): void {
    if (count > this.#results[result]!) this.#results[result] = count;
  }
}

/** A model's counts, those of all its versions together. */
export class ModelRow extends Row {
  readonly #times = new Float64Array(TIME_BOUNDS + 2);
  /** The same in finer buckets, of which quantiles are made; 9.5 KiB, so only where somebody wants them. */
  readonly buckets: Float64Array | undefined;
  /** By the ledgers of this thread. */
  #own = { hits: 0, verified: 0, seconds: 0 };
  /** By hits of other threads: an estimate. */
  #others = { hits: 0, seconds: 0 };
  #savedSeconds = 0;

  constructor(labels: readonly string[], withBuckets: boolean) {
    super(labels, true);
    if (withBuckets) this.buckets = new Float64Array(TIME_BUCKETS);
  }

  get savedSeconds(): number {
    return this.#savedSeconds;
  }

  get times(): Times {
    return timesOf(this.#times);
  }

  override begin(): void {
    super.begin();
    this.#times.fill(0);
    this.buckets?.fill(0);
    this.#own = { hits: 0, verified: 0, seconds: 0 };
  }

  addTimes(handle: number, space: number): void {
    native.spaceTimes(handle, space, this.#times);
    if (this.buckets !== undefined) native.spaceBuckets(handle, space, this.buckets);
  }

  addLedger(ledger: Ledger): void {
    const tally = ledger.total();
    this.#own.hits += tally.hit.count + tally.otherHits;
    this.#own.verified += tally.verify.count;
    this.#own.seconds += savedSecondsOf(tally);
  }

  /** What other threads saved grows by their hits since the last time, at the mean run time of this moment. */
  override end(): void {
    super.end();
    const { hits, verified, seconds } = this.#own;
    const others =
      this.results[0]! + this.results[1]! + this.results[3]! - hits - Math.max(0, this.get('verified') - verified);
    const inputs = this.get('runInputs');
    if (inputs > 0 && others > this.#others.hits) {
      this.#others.seconds += ((others - this.#others.hits) * this.times.seconds) / inputs;
      this.#others.hits = others;
    }
    this.#savedSeconds = Math.max(this.#savedSeconds, seconds + this.#others.seconds);
  }
}

export class KeyspaceCounts {
  readonly rows: Row[] = [];
  readonly models: ModelRow[] = [];
  readonly #cache: string;
  readonly #limit: number;
  readonly #withBuckets: boolean;
  /** By label, and by the number of the keyspace. */
  readonly #byLabel = new Map<string, Row>();
  readonly #byModel = new Map<string, ModelRow>();
  readonly #rowOf: Row[] = [];
  readonly #modelOf: (ModelRow | undefined)[] = [];
  readonly #slice = new Float64Array(SLICE * ROW);

  /**
   * @param cache  the value of the label `cache`
   * @param limit  how many labels there may be, of keyspaces and of models; the rest is summed
   * @param withBuckets  whether models have `buckets`
   */
  constructor(cache: string, limit: number, withBuckets = false) {
    this.#cache = cache;
    this.#limit = limit;
    this.#withBuckets = withBuckets;
  }

  /**
   * Reads the counts anew. `handle` is asked again after each pause: the cache may be closed meanwhile.
   *
   * @param ledgers  what this thread's models count
   * @throws {CacheError} `ERR_CACHE_CLOSED`
   */
  async read(handle: () => number, ledgers: () => Iterable<Ledger>, pause: () => Promise<void>): Promise<void> {
    for (const name of native.spaceNames(handle(), this.#rowOf.length)) this.#add(labelOf(name));
    for (const row of [...this.rows, ...this.models]) row.begin();
    const count = this.#rowOf.length;
    for (let from = 0; from < count; from += SLICE) {
      if (from > 0) await pause();
      this.#readSlice(handle(), from, Math.min(from + SLICE, count));
    }
    for (const ledger of ledgers()) this.#modelRow(printable(ledger.model)).addLedger(ledger);
    for (const row of [...this.rows, ...this.models]) row.end();
  }

  #readSlice(handle: number, from: number, to: number): void {
    native.spaceCounts(handle, from, to, this.#slice);
    for (let space = from; space < to; ++space) {
      const at = (space - from) * ROW;
      this.#rowOf[space]!.add(this.#slice, at);
      const model = this.#modelOf[space];
      if (model === undefined) continue;
      model.add(this.#slice, at);
      if (this.#slice[at + PLACES.runs]! > 0) model.addTimes(handle, space);
    }
  }

  #add({ keyspace, model }: Label): void {
    const row = this.#labelled(this.rows, this.#byLabel, keyspace, (labels) => new Row(labels, model !== undefined));
    this.#rowOf.push(row);
    this.#modelOf.push(model === undefined ? undefined : this.#modelRow(model));
  }

  #modelRow(model: string): ModelRow {
    return this.#labelled(this.models, this.#byModel, model, (labels) => new ModelRow(labels, this.#withBuckets));
  }

  #labelled<Of extends Row>(rows: Of[], byLabel: Map<string, Of>, label: string, make: (labels: string[]) => Of): Of {
    const own = byLabel.size < this.#limit || byLabel.has(label) ? label : OTHER;
    let row = byLabel.get(own);
    if (row === undefined) {
      row = make([this.#cache, own]);
      byLabel.set(own, row);
      rows.push(row);
    }
    return row;
  }
}
