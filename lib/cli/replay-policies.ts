// replay-policies.ts: simple caches for comparison, played with the ids of a trace: no values, only which ids are there.
//
//   fifo   what came first goes first        lru   what was asked for longest ago goes first
//   lfu    what was asked for least since it came goes first; of several, the one asked for longest ago
//   all    nothing goes: what no cache can do better
//
// Each holds so many bytes, by the sizes of the entries.

export interface SimulatedCache {
  /** Asks for it, and stores it if it is not there. True: it was there. */
  request(id: number): boolean;
  /** It has ended. */
  forget(id: number): void;
}

/** Bytes that an entry takes, by its id. */
export type Sizes = ArrayLike<number>;

const NOWHERE = -1;

/** Ids in an order, of which each is in one list at most. */
class Links {
  readonly before: Int32Array;
  readonly behind: Int32Array;

  constructor(ids: number) {
    this.before = new Int32Array(ids).fill(NOWHERE);
    this.behind = new Int32Array(ids).fill(NOWHERE);
  }
}

class List {
  readonly #links: Links;
  first = NOWHERE;
  #last = NOWHERE;

  constructor(links: Links) {
    this.#links = links;
  }

  append(id: number): void {
    const { before, behind } = this.#links;
    before[id] = this.#last;
    behind[id] = NOWHERE;
    if (this.#last === NOWHERE) this.first = id;
    else behind[this.#last] = id;
    this.#last = id;
  }

  remove(id: number): void {
    const { before, behind } = this.#links;
    const [left, right] = [before[id]!, behind[id]!];
    if (left === NOWHERE) this.first = right;
    else behind[left] = right;
    if (right === NOWHERE) this.#last = left;
    else before[right] = left;
  }
}

/** What all of them have in common: how much is there. A subclass says what goes. */
abstract class Bounded implements SimulatedCache {
  readonly #sizes: Sizes;
  readonly #capacity: number;
  readonly #there: Uint8Array;
  #bytes = 0;

  constructor(ids: number, sizes: Sizes, capacity: number) {
    this.#sizes = sizes;
    this.#capacity = capacity;
    this.#there = new Uint8Array(ids);
  }

  request(id: number): boolean {
    if (this.#there[id] === 1) {
      this.used(id);
      return true;
    }
    const size = this.#sizes[id]!;
    if (size > this.#capacity) return false;
    while (this.#bytes + size > this.#capacity) this.forget(this.victim());
    this.#there[id] = 1;
    this.#bytes += size;
    this.came(id);
    return false;
  }

  forget(id: number): void {
    if (this.#there[id] === 0) return;
    this.#there[id] = 0;
    this.#bytes -= this.#sizes[id]!;
    this.went(id);
  }

  protected abstract came(id: number): void;
  protected abstract used(id: number): void;
  protected abstract went(id: number): void;
  /** REQUIRES: there is something. */
  protected abstract victim(): number;
}

class Fifo extends Bounded {
  protected readonly list: List;

  constructor(ids: number, sizes: Sizes, capacity: number) {
    super(ids, sizes, capacity);
    this.list = new List(new Links(ids));
  }

  protected came(id: number): void {
    this.list.append(id);
  }

  protected used(_id: number): void {}

  protected went(id: number): void {
    this.list.remove(id);
  }

  protected victim(): number {
    return this.list.first;
  }
}

class Lru extends Fifo {
  protected override used(id: number): void {
    this.list.remove(id);
    this.list.append(id);
  }
}

class Lfu extends Bounded {
  readonly #links: Links;
  readonly #counts: Uint32Array;
  readonly #lists = new Map<number, List>();
  /** No list below it has an id. */
  #least = 1;

  constructor(ids: number, sizes: Sizes, capacity: number) {
    super(ids, sizes, capacity);
    this.#links = new Links(ids);
    this.#counts = new Uint32Array(ids);
  }

  protected came(id: number): void {
    this.#counts[id] = 1;
    this.#least = 1;
    this.#listOf(1).append(id);
  }

  protected used(id: number): void {
    this.went(id);
    this.#listOf(++this.#counts[id]!).append(id);
  }

  protected went(id: number): void {
    const count = this.#counts[id]!;
    const list = this.#listOf(count);
    list.remove(id);
    if (list.first === NOWHERE) this.#lists.delete(count);
  }

  protected victim(): number {
    while (!this.#lists.has(this.#least)) this.#least++;
    return this.#lists.get(this.#least)!.first;
  }

  #listOf(count: number): List {
    let list = this.#lists.get(count);
    if (list === undefined) {
      list = new List(this.#links);
      this.#lists.set(count, list);
    }
    return list;
  }
}

class All implements SimulatedCache {
  readonly #there: Uint8Array;

  constructor(ids: number) {
    this.#there = new Uint8Array(ids);
  }

  request(id: number): boolean {
    const hit = this.#there[id] === 1;
    this.#there[id] = 1;
    return hit;
  }

  forget(id: number): void {
    this.#there[id] = 0;
  }
}

export const SIMPLE = ['lru', 'lfu', 'fifo', 'all'] as const;
export type Simple = (typeof SIMPLE)[number];

export function simpleCache(policy: Simple, ids: number, sizes: Sizes, capacity: number): SimulatedCache {
  switch (policy) {
    case 'lru':
      return new Lru(ids, sizes, capacity);
    case 'lfu':
      return new Lfu(ids, sizes, capacity);
    case 'fifo':
      return new Fifo(ids, sizes, capacity);
    case 'all':
      return new All(ids);
  }
}
