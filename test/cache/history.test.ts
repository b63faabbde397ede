// Long random histories of every operation, against a Map that knows what must be. A failure tells seed and step.
import { describe, expect, test } from 'vitest';
import { type Cache, json, type Keyspace, number, utf8 } from 'zerohop';
import { alike, rounds } from '../fixtures/child.js';
import { nowMs, openCache, turn } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

type Space = Keyspace<unknown, unknown, unknown>;

/** What must be under a key: until `endsAfter` at least, and not beyond `endsBefore`. */
interface Known {
  value: unknown;
  endsAfter: number;
  endsBefore: number;
  tags: readonly string[];
}

interface Tracked {
  space: Space;
  keyOf(n: number): string | number;
  valueFor(n: number): unknown;
  known: Map<number, Known>;
}

const TAGS = ['red', 'green', 'blue'];
/** Of values: few are so large that they have segments of their own. */
const SIZES = [0, 40, 40, 250, 900, 900, 900, 5000, 5000, 60_000];
const NEVER = Number.POSITIVE_INFINITY;
/** The near cache goes by a thread that counts ticks; a machine that is too busy may keep it off its cores so long. */
const LAG_MS = 3000;

class History {
  readonly #random: () => number;
  readonly #cache: Cache;
  readonly #keys: number;
  readonly #evicts: boolean;
  readonly #tracked: Tracked[];
  readonly #state: () => string;
  found = 0;
  absent = 0;
  step = 0;

  constructor(seed: number, keys: number, maxBytes: string, evicts: boolean) {
    this.#random = randomFrom(seed);
    this.#keys = keys;
    this.#evicts = evicts;
    this.#cache = openCache({ maxBytes });
    this.#state = () => `seed ${seed}, step ${this.step}`;
    const pad = (n: number) => `${n} `.padEnd(SIZES[this.#below(SIZES.length)]!, 'x');
    this.#tracked = [
      this.#track({ codec: utf8 }, (n) => `key ${n}`, pad),
      this.#track(
        { codec: number, keys: 'integer' },
        (n) => n - 100,
        (n) => n,
      ),
      this.#track(
        { codec: json, copy: true, scope: 'other' },
        (n) => `${n}`,
        (n) => ({ n, pad: pad(n) }),
      ),
      this.#track({ codec: utf8, near: false }, (n) => `${n}`.padStart(300, 'k'), pad),
    ];
  }

  #track(options: object, keyOf: Tracked['keyOf'], valueFor: Tracked['valueFor']): Tracked {
    const name = JSON.stringify(options);
    const space = this.#cache.keyspace(name, options as never) as unknown as Space;
    return { space, keyOf, valueFor, known: new Map() };
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  /** `found` is what was there between the two times; undefined for nothing. */
  #check(
    what: string,
    { space, keyOf, known }: Tracked,
    n: number,
    found: unknown,
    before: number,
    after: number,
  ): void {
    const expected = known.get(n);
    if (found === undefined) {
      ++this.absent;
      const must = expected !== undefined && expected.endsAfter > after && !this.#evicts;
      if (must) throw new Error(`${this.#state()}: ${what} of ${n} misses ${JSON.stringify(expected)}`);
    } else {
      ++this.found;
      const lag = what === 'get' && space.peek(keyOf(n)) === undefined ? LAG_MS : 0;
      const may = expected !== undefined && expected.endsBefore + lag > before;
      if (!may) throw new Error(`${this.#state()}: ${what} of ${n} finds ${JSON.stringify(found)}, not nothing`);
      expect(found, `${this.#state()}: ${what} of ${n}`).toEqual(expected.value);
    }
  }

  #ask(tracked: Tracked): void {
    const { space, keyOf } = tracked;
    const n = this.#below(this.#below(3) ? Math.min(10, this.#keys) : this.#keys);
    const key = keyOf(n);
    const others = Array.from({ length: this.#below(40) }, () => this.#below(this.#keys));
    const before = nowMs();
    const ways: [string, () => unknown][] = [
      ['get', () => space.get(key)],
      ['get', () => space.get(key)],
      ['get', () => space.get(key)],
      ['peek', () => space.peek(key)],
      ['getCopy', () => space.getCopy(key)],
      ['entry', () => space.entry(key)?.value],
    ];
    if (this.#below(8) === 0) {
      const found = space.getMany(others.map(keyOf));
      const after = nowMs();
      for (const [i, other] of others.entries()) this.#check('getMany', tracked, other, found[i], before, after);
      return;
    }
    const [what, way] = ways[this.#below(ways.length)]!;
    this.#check(what, tracked, n, way(), before, nowMs());
  }

  #set(tracked: Tracked): void {
    const n = this.#below(this.#keys);
    const value = tracked.valueFor(n);
    const ttl = this.#below(4) ? NEVER : 1 + this.#below(60);
    const tags = TAGS.filter(() => this.#below(6) === 0);
    const options = ttl === NEVER && tags.length === 0 ? undefined : { ttl, tags };
    const before = nowMs();
    const stored = tracked.space.set(tracked.keyOf(n), value, options);
    expect(stored, this.#state()).toBe(true);
    tracked.known.set(n, { value, endsAfter: before + ttl - 0.01, endsBefore: nowMs() + ttl, tags });
  }

  #delete(tracked: Tracked): void {
    const n = this.#below(this.#keys);
    const before = nowMs();
    const there = tracked.space.delete(tracked.keyOf(n));
    this.#check('delete', tracked, n, there ? (tracked.known.get(n)?.value ?? there) : undefined, before, nowMs());
    tracked.known.delete(n);
  }

  #touch(tracked: Tracked): void {
    const n = this.#below(this.#keys);
    const ttl = this.#below(3) ? 1 + this.#below(100) : NEVER;
    const before = nowMs();
    const there = tracked.space.touch(tracked.keyOf(n), { ttl });
    const after = nowMs();
    const known = tracked.known.get(n);
    this.#check('touch', tracked, n, there ? (known?.value ?? there) : undefined, before, after);
    if (there && known) Object.assign(known, { endsAfter: before + ttl - 0.01, endsBefore: after + ttl });
    else if (known && known.endsBefore <= after) tracked.known.delete(n);
  }

  #deleteByTag(tracked: Tracked): void {
    const tag = TAGS[this.#below(TAGS.length)]!;
    const before = nowMs();
    const deleted = tracked.space.deleteByTag(tag);
    const after = nowMs();
    const tagged = [...tracked.known].filter(([, { tags }]) => tags.includes(tag));
    const most = tagged.filter(([, { endsBefore }]) => endsBefore > before).length;
    const least = tagged.filter(([, { endsAfter }]) => endsAfter > after).length;
    expect(deleted, this.#state()).toBeLessThanOrEqual(most);
    if (!this.#evicts) expect(deleted, this.#state()).toBeGreaterThanOrEqual(least);
    for (const [n] of tagged) tracked.known.delete(n);
  }

  #clear(tracked: Tracked): void {
    if (this.#below(8)) {
      tracked.space.clear();
      tracked.known.clear();
    } else {
      this.#cache.clear();
      for (const { known } of this.#tracked) known.clear();
    }
  }

  /** All keys, each once, and none that must not be. */
  #list(tracked: Tracked): void {
    const before = nowMs();
    const keys = new Set(tracked.space.keys());
    const after = nowMs();
    let listed = 0;
    for (const [n, known] of tracked.known) {
      const there = keys.has(tracked.keyOf(n));
      if (there) ++listed;
      this.#check('keys', tracked, n, there ? known.value : undefined, before, after);
    }
    expect(keys.size, this.#state()).toBe(listed);
  }

  async run(steps: number): Promise<void> {
    for (this.step = 0; this.step < steps; ++this.step) {
      const tracked = this.#tracked[this.#below(this.#tracked.length)]!;
      const choice = this.#below(1000);
      if (choice < 600) this.#ask(tracked);
      else if (choice < 880) this.#set(tracked);
      else if (choice < 930) this.#delete(tracked);
      else if (choice < 985) this.#touch(tracked);
      else if (choice < 992) this.#deleteByTag(tracked);
      else if (choice < 994) (!this.#evicts || this.#below(20) === 0) && this.#clear(tracked);
      else this.#list(tracked);
      if (this.step % 2000 === 0) await turn();
    }
  }

  stats() {
    return this.#cache.stats();
  }
}

describe('a random history', () => {
  test.each(alike([1, 2, 3]))('without evictions returns exactly what was stored (seed %i)', async (seed) => {
    const history = new History(seed, [10, 80, 400][seed % 3]!, '32MB', false);
    await history.run(rounds(10_000, 40_000));
    expect(history.found).toBeGreaterThan(rounds(1250, 5000));
    expect(history.absent).toBeGreaterThan(rounds(250, 1000));
    expect(history.stats()).toMatchObject({ evictions: 0, refusals: 0, corrupted: 0 });
  });

  test.each(alike([11, 12, 13]))(
    'with evictions never returns a value that was replaced, deleted or expired (seed %i)',
    async (seed) => {
      const history = new History(seed, 3000, '4MB', true);
      await history.run(rounds(30_000, 60_000));
      expect(history.found).toBeGreaterThan(rounds(1500, 3000));
      expect(history.stats()).toMatchObject({ refusals: 0, corrupted: 0 });
      expect(history.stats().evictions).toBeGreaterThan(rounds(100, 300));
    },
  );
});
