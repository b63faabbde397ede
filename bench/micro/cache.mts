// cache.mts — the operations of keyspaces and caches: 10 000 vectors of 4 KiB, batches of 100.
//
// Keys are new strings for each step, as they come out of a request, unless the name says otherwise. What only reads
// has a cache of its own: nothing that is written elsewhere evicts from it.

import { open } from 'zerohop';
import { CODEC, openZerohop, TTL_MS, userKey, userKeys, verifyStore } from '../cache/rivals.mjs';
import { DIMENSIONS, EMBEDDING_BYTES, embeddingElement, fillEmbedding, isEmbedding } from '../workloads/embeddings.mjs';
import { uniformStream } from '../workloads/random.mjs';
import { sliceKeys, writeRequests } from '../workloads/requests.mjs';
import { CALLS, type Operation, type Room } from './operation.mjs';
import { expectRight } from './right.mjs';

const RESIDENT = 10_000;
const MAX_BYTES = 2 * RESIDENT * EMBEDDING_BYTES;
const LISTED = 1000;
const STEPS = 1024;

const single = { calls: CALLS, items: 1 };
const batch = { calls: 1, items: CALLS };

export function cacheOperations(): Room {
  const reading = openReading();
  const writing = openWriting();
  return {
    operations: [...reading.operations, ...writing.operations],
    close() {
      reading.close();
      writing.close();
    },
  };
}

/** The next 100 ids of a stream that begins again, and their keys as new strings. */
class Requests {
  readonly #stream = uniformStream(RESIDENT, STEPS * CALLS, 1);
  #step = 0;
  ids: Uint32Array = new Uint32Array();
  keys: string[] = [];

  next(): void {
    const at = (this.#step++ % STEPS) * CALLS;
    this.ids = this.#stream.subarray(at, at + CALLS);
    this.keys = sliceKeys(writeRequests(this.ids, userKey));
  }
}

function openReading(): Room {
  const { cache, vectors } = openZerohop(MAX_BYTES);
  const numbered = cache.keyspace('numbered', { codec: CODEC, keys: 'integer', ttl: TTL_MS });
  const listed = cache.keyspace('listed', { codec: CODEC });
  const scratch = new Float32Array(DIMENSIONS);
  const held = userKeys(LISTED);
  for (let id = 0; id < RESIDENT; id++) vectors.set(userKey(id), fillEmbedding(scratch, id));
  for (let id = 0; id < LISTED; id++) {
    numbered.set(id, fillEmbedding(scratch, id));
    listed.set(held[id]!, fillEmbedding(scratch, id));
  }
  const hot = held.slice(0, CALLS);
  const absent = Array.from({ length: CALLS }, (_, i) => `nobody:${i}`);
  const some = Float64Array.from({ length: LISTED }, (_, i) => i).subarray(0, CALLS);
  const out = new Float32Array(CALLS * DIMENSIONS);
  const requests = new Requests();
  const prepare = () => requests.next();
  const isOf = (value: ArrayLike<number> | undefined, id: number) =>
    value !== undefined && isEmbedding(value as Float32Array, id, scratch);
  const checkAll = (name: string, get: (key: string) => Float32Array | undefined) => () =>
    verifyStore(name, { get, set: () => undefined }, userKeys(RESIDENT), 'before the timed calls');
  const rowsAre = (ids: ArrayLike<number>) =>
    Array.from(ids).every((id, i) => isOf(out.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS), id));
  const reads = (name: string, method: string, get: (key: string) => unknown, check: () => void): Operation => ({
    name,
    method,
    ...single,
    check,
    prepare,
    run: (i) => get(requests.keys[i]!),
  });

  const operations: Operation[] = [
    reads(
      'get',
      'Keyspace.get',
      (key) => vectors.get(key),
      checkAll('get', (key) => vectors.get(key) as Float32Array),
    ),
    {
      name: 'get, a key asked for lately',
      method: 'Keyspace.get',
      ...single,
      check: () =>
        expectRight(
          hot.every((key, id) => isOf(vectors.get(key), id)),
          'get',
        ),
      run: (i) => vectors.get(hot[i]!),
    },
    {
      name: 'get, an integer',
      method: 'Keyspace.get',
      ...single,
      check: () =>
        expectRight(
          some.every((id) => isOf(numbered.get(id), id)),
          'get by integers',
        ),
      run: (i) => numbered.get(some[i]!),
    },
    {
      name: 'get, a miss',
      method: 'Keyspace.get',
      ...single,
      check: () =>
        expectRight(
          absent.every((key) => vectors.get(key) === undefined),
          'get of what is not there',
        ),
      run: (i) => vectors.get(absent[i]!),
    },
    reads(
      'getCopy',
      'Keyspace.getCopy',
      (key) => vectors.getCopy(key),
      checkAll('getCopy', (key) => vectors.getCopy(key)),
    ),
    reads(
      'peek',
      'Keyspace.peek',
      (key) => vectors.peek(key),
      checkAll('peek', (key) => vectors.peek(key) as Float32Array),
    ),
    reads(
      'has',
      'Keyspace.has',
      (key) => vectors.has(key),
      () => expectRight(vectors.has(userKey(1)) && !vectors.has('nobody'), 'has'),
    ),
    reads(
      'entry',
      'Keyspace.entry',
      (key) => vectors.entry(key),
      () => expectRight(isOf(vectors.entry(userKey(1))?.value, 1) && vectors.entry('nobody') === undefined, 'entry'),
    ),
    reads(
      'eviction',
      'Keyspace.eviction',
      (key) => vectors.eviction(key),
      () => expectRight(vectors.eviction(userKey(1)) === undefined, 'eviction'),
    ),
    {
      name: 'getMany, of 100',
      method: 'Keyspace.getMany',
      ...batch,
      check() {
        prepare();
        const values = vectors.getMany(requests.keys);
        expectRight(
          values.every((value, i) => isOf(value, requests.ids[i]!)),
          'getMany',
        );
      },
      prepare,
      run: () => vectors.getMany(requests.keys),
    },
    {
      name: 'gather, of 100',
      method: 'Keyspace.gather',
      ...batch,
      check() {
        prepare();
        expectRight(vectors.gather(requests.keys, out).hits === CALLS && rowsAre(requests.ids), 'gather');
      },
      prepare,
      run: () => vectors.gather(requests.keys, out),
    },
    {
      name: 'gather, of 100 integers',
      method: 'Keyspace.gather',
      ...batch,
      check: () => expectRight(numbered.gather(some, out).hits === CALLS && rowsAre(some), 'gather by integers'),
      run: () => numbered.gather(some, out),
    },
    {
      name: 'keys, of 1 000',
      method: 'Keyspace.keys',
      calls: 1,
      items: LISTED,
      check: () => expectRight(new Set(listed.keys()).size === LISTED, 'keys'),
      run() {
        let last: unknown;
        for (const key of listed.keys()) last = key;
        return last;
      },
    },
    {
      name: 'entries, of 1 000',
      method: 'Keyspace.entries',
      calls: 1,
      items: LISTED,
      check: () =>
        expectRight(
          [...listed.entries()].every(([key, value]) => isOf(value, held.indexOf(key as string))),
          'entries',
        ),
      run() {
        let last: unknown;
        for (const entry of listed.entries()) last = entry;
        return last;
      },
    },
    {
      name: 'stats of a keyspace',
      method: 'Keyspace.stats',
      ...single,
      check: () => expectRight(vectors.stats().hits > RESIDENT, 'stats'),
      run: () => vectors.stats(),
    },
    {
      name: 'stats of a cache',
      method: 'Cache.stats',
      ...single,
      check: () => expectRight(cache.stats().entries === RESIDENT + 2 * LISTED, 'stats of the cache'),
      run: () => cache.stats(),
    },
    {
      name: 'keyspace, opened once more',
      method: 'Cache.keyspace',
      calls: 1,
      items: 1,
      check: () => expectRight(isOf(cache.keyspace('listed', { codec: CODEC }).get(held[1]!), 1), 'keyspace'),
      run: () => cache.keyspace('listed', { codec: CODEC }),
    },
  ];
  return { operations, close: () => cache.close() };
}

function openWriting(): Room {
  const { cache, vectors } = openZerohop(MAX_BYTES);
  const small = open({ maxBytes: '4MB' });
  const keys = userKeys(CALLS);
  const value = fillEmbedding(new Float32Array(DIMENSIONS), 1);
  const entries = keys.map((key): [string, Float32Array] => [key, value]);
  const requests = new Requests();
  const prepare = () => requests.next();
  const storeAll = () => vectors.setMany(entries, { tags: ['of the bench'] });
  const holds = (key: string) => vectors.getCopy(key)?.[DIMENSIONS - 1] === embeddingElement(1, DIMENSIONS - 1);
  /** What forgets: all 100 are stored before, and gone after it. */
  const forgets = (what: string, forget: () => void) => () => {
    storeAll();
    expectRight(keys.every(holds), `set before ${what}`);
    forget();
    expectRight(!keys.some((key) => vectors.has(key)), what);
  };
  const eachOf = (act: (key: string) => unknown) => () => {
    for (const key of keys) act(key);
  };
  const sets = (name: string, options?: Parameters<typeof vectors.set>[2]): Operation => ({
    name,
    method: 'Keyspace.set',
    ...single,
    check: () =>
      expectRight(
        keys.every((key) => vectors.set(key, value, options) && holds(key)),
        name,
      ),
    prepare,
    run: (i) => vectors.set(requests.keys[i]!, value, options),
  });
  const operations: Operation[] = [
    sets('set'),
    sets('set, with ttl', { ttl: 1000 }),
    sets('set, with a tag', { tags: ['of the bench'] }),
    {
      name: 'setMany, of 100',
      method: 'Keyspace.setMany',
      ...batch,
      check: () => expectRight(vectors.setMany(entries) === CALLS && keys.every(holds), 'setMany'),
      run: () => vectors.setMany(entries),
    },
    {
      name: 'touch',
      method: 'Keyspace.touch',
      ...single,
      check() {
        storeAll();
        expectRight(keys.every((key) => vectors.touch(key)) && !vectors.touch('nobody'), 'touch');
      },
      prepare: storeAll,
      run: (i) => vectors.touch(keys[i]!),
    },
    {
      name: 'touch, with ttl',
      method: 'Keyspace.touch',
      ...single,
      check() {
        storeAll();
        expectRight(
          keys.every((key) => vectors.touch(key, { ttl: 1000 })),
          'touch with a ttl',
        );
      },
      prepare: storeAll,
      run: (i) => vectors.touch(keys[i]!, { ttl: 1000 }),
    },
    {
      name: 'delete',
      method: 'Keyspace.delete',
      ...single,
      check: forgets(
        'delete',
        eachOf((key) => expectRight(vectors.delete(key), 'delete')),
      ),
      prepare: storeAll,
      run: (i) => vectors.delete(keys[i]!),
    },
    {
      name: 'deleteMany, of 100',
      method: 'Keyspace.deleteMany',
      ...batch,
      check: forgets('deleteMany', () => expectRight(vectors.deleteMany(keys) === CALLS, 'deleteMany')),
      prepare: storeAll,
      run: () => vectors.deleteMany(keys),
    },
    {
      name: 'deleteByTag, of 100',
      method: 'Keyspace.deleteByTag',
      ...batch,
      check: forgets('deleteByTag', () => vectors.deleteByTag('of the bench')),
      prepare: storeAll,
      run: () => vectors.deleteByTag('of the bench'),
    },
    {
      name: 'clear of a keyspace',
      method: 'Keyspace.clear',
      calls: 1,
      items: 1,
      check: forgets('clear', () => vectors.clear()),
      prepare: storeAll,
      run: () => vectors.clear(),
    },
    {
      name: 'clear of a cache',
      method: 'Cache.clear',
      calls: 1,
      items: 1,
      check() {
        small.set('a key', Buffer.from('a value'));
        small.clear();
        expectRight(!small.has('a key'), 'clear of a cache');
      },
      prepare: () => void small.set('a key', Buffer.from('a value')),
      run: () => small.clear(),
    },
    {
      name: 'open and close',
      method: 'Cache.close',
      calls: 1,
      items: 1,
      check: () => open({ maxBytes: '4MB' }).close(),
      run: () => open({ maxBytes: '4MB' }).close(),
    },
  ];
  const close = () => {
    cache.close();
    small.close();
  };
  return { operations, close };
}
