// second-chance.mts — the policy of native/cache/policy.h and evictor.h, played with ids instead of bytes: what hit
// ratio it ought to have.  Beside it plain LRU, which every reader knows.
//
//   newcomers, survivors   one open segment each, filled from its start, then sealed
//   free segments short    the oldest sealed segment is emptied: of its live entries those that were asked for most
//                          often go to the survivors, up to half a segment; the rest is forgotten
//   cooling                the oldest quarter of the sealed segments: an entry that is asked for there moves at once
//
// Entries have one size.  Left out, because they belong to memory and not to worth: views that keep a segment from being
// a victim, other threads, expiry.

/** native/base/constants.h, native/cache/policy.h, evictor.cc. */
const SEGMENT_BYTES_MAX = 2 ** 21;
const SEGMENT_BYTES_MIN = 2 ** 17;
const SEGMENTS_WANTED = 64;
const USES_MAX = 3;
const SURVIVOR_SHARE = 1 / 2;
const SPARE = 1;
const SLACK_SHARE = 64;
const COOLING_SHARE = 4;

const NONE = -1;

interface Segment {
  readonly ids: Int32Array;
  used: number;
  sealedAt: number;
  cooling: boolean;
  live: number;
}

export class SecondChance {
  readonly #slots: number;
  readonly #segments: Segment[];
  readonly #free: number[];
  /** By id: segment * slots + slot, or NONE. */
  readonly #places: Int32Array;
  readonly #uses: Uint8Array;
  readonly #open = { newcomers: NONE, survivors: NONE };
  #clock = 0;
  #evictionsSinceCooling = Number.POSITIVE_INFINITY;

  /** @param withheldBytes  what the index takes from the budget */
  constructor(ids: number, maxBytes: number, entryBytes: number, withheldBytes: number) {
    let segmentBytes = SEGMENT_BYTES_MAX;
    while (segmentBytes > SEGMENT_BYTES_MIN && maxBytes / segmentBytes < SEGMENTS_WANTED) segmentBytes /= 2;
    this.#slots = Math.floor(segmentBytes / entryBytes);
    const count = Math.floor(maxBytes / segmentBytes) - Math.ceil(withheldBytes / segmentBytes);
    this.#segments = Array.from({ length: count }, () => ({
      ids: new Int32Array(this.#slots),
      used: 0,
      sealedAt: NONE,
      cooling: false,
      live: 0,
    }));
    this.#free = [...this.#segments.keys()];
    this.#places = new Int32Array(ids).fill(NONE);
    this.#uses = new Uint8Array(ids);
  }

  get(id: number): boolean {
    const place = this.#places[id] as number;
    if (place === NONE) return false;
    this.#uses[id] = Math.min(USES_MAX, (this.#uses[id] as number) + 1);
    if (this.#segmentOf(place).cooling) this.#append('survivors', id, SPARE);
    return true;
  }

  set(id: number): void {
    if (this.#append('newcomers', id, SPARE)) return;
    this.#makeRoom();
    if (!this.#append('newcomers', id, SPARE)) throw new Error('second-chance: no room was made');
  }

  /** Writes the entry behind the last one of the stream, and forgets where it was before. */
  #append(stream: 'newcomers' | 'survivors', id: number, spare: number): boolean {
    let index = this.#open[stream];
    if (index === NONE || (this.#segments[index] as Segment).used === this.#slots) {
      if (index !== NONE) (this.#segments[index] as Segment).sealedAt = this.#clock++;
      this.#open[stream] = NONE;
      if (this.#free.length <= spare) return false;
      index = this.#free.pop() as number;
      this.#open[stream] = index;
    }
    this.#forget(id);
    const segment = this.#segments[index] as Segment;
    this.#places[id] = index * this.#slots + segment.used;
    this.#uses[id] = 0;
    segment.ids[segment.used++] = id;
    segment.live++;
    return true;
  }

  #forget(id: number): void {
    const place = this.#places[id] as number;
    if (place !== NONE) this.#segmentOf(place).live--;
    this.#places[id] = NONE;
  }

  #makeRoom(): void {
    const wanted = 1 + Math.floor(this.#segments.length / SLACK_SHARE);
    while (this.#free.length - SPARE < wanted) {
      const victim = this.#victim();
      this.#evict(victim);
      Object.assign(this.#segments[victim] as Segment, { used: 0, sealedAt: NONE, cooling: false, live: 0 });
      this.#free.push(victim);
    }
  }

  /** The oldest sealed segment; one without entries before any other. */
  #victim(): number {
    const sealed = [...this.#segments.keys()].filter((index) => (this.#segments[index] as Segment).sealedAt !== NONE);
    const age = (index: number) => (this.#segments[index] as Segment).sealedAt;
    const dead = (index: number) => Number((this.#segments[index] as Segment).live === 0);
    sealed.sort((a, b) => age(a) - age(b));
    this.#cool(sealed);
    return sealed.toSorted((a, b) => dead(b) - dead(a))[0] as number;
  }

  #cool(oldestFirst: readonly number[]): void {
    const window = Math.max(2, Math.floor(this.#segments.length / COOLING_SHARE));
    const ready = oldestFirst.filter((index) => (this.#segments[index] as Segment).cooling).length;
    const due = Math.floor(window / 4);
    if (++this.#evictionsSinceCooling <= due || ready > due) return;
    for (const index of oldestFirst.slice(0, window)) (this.#segments[index] as Segment).cooling = true;
    this.#evictionsSinceCooling = 0;
  }

  #evict(victim: number): void {
    const { ids, used } = this.#segments[victim] as Segment;
    const first = victim * this.#slots;
    const live = [...ids.subarray(0, used)].filter((id, slot) => this.#places[id] === first + slot);
    const roomMax = this.#slots * SURVIVOR_SHARE;
    const threshold = this.#threshold(live, roomMax);
    let kept = 0;
    for (const id of live) {
      if ((this.#uses[id] as number) >= threshold && kept + 1 <= roomMax && this.#append('survivors', id, 0)) kept++;
      else this.#forget(id);
    }
  }

  /** The fewest uses to survive by, such that the survivors fit; at USES_MAX they may not. */
  #threshold(live: readonly number[], roomMax: number): number {
    let kept = 0;
    let threshold = USES_MAX;
    for (let uses = USES_MAX; uses >= 1; uses--) {
      kept += live.filter((id) => this.#uses[id] === uses).length;
      if (kept > roomMax) break;
      threshold = uses;
    }
    return threshold;
  }

  #segmentOf(place: number): Segment {
    return this.#segments[Math.floor(place / this.#slots)] as Segment;
  }
}

/** Least recently used leaves first; a set is a use. */
export class PlainLru {
  readonly #entriesMax: number;
  readonly #entries = new Set<number>(); // in order of use

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get(id: number): boolean {
    if (!this.#entries.delete(id)) return false;
    this.#entries.add(id);
    return true;
  }

  set(id: number): void {
    this.#entries.delete(id);
    this.#entries.add(id);
    if (this.#entries.size <= this.#entriesMax) return;
    const [oldest] = this.#entries;
    this.#entries.delete(oldest as number);
  }
}
