// Every argument of every method, given everything that it is not: an error that names it, with a code, and nothing
// has changed.
import { describe, expect, test } from 'vitest';
import { bytes, type Cache, float32, json, type Keyspace, number, open } from 'zerohop';
import { anything, errorOf, openCache, textOf, utf8Of } from '../fixtures/opened.js';

type Anything = ReturnType<typeof anything>;

const mine = new Error('mine');

const throwing = (name: string) =>
  Object.defineProperty({}, name, {
    enumerable: true,
    get() {
      throw mine;
    },
  });

const revoked = (target: object) => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};

const hostile = new Proxy(
  {},
  {
    get() {
      throw mine;
    },
    ownKeys() {
      throw mine;
    },
    getOwnPropertyDescriptor() {
      throw mine;
    },
  },
);

function detached(): Uint8Array {
  const array = new Uint8Array(8);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** Values of every type, by name; each is made anew. */
const values: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  '-0': () => -0,
  '1': () => 1,
  '-1': () => -1,
  '1.5': () => 1.5,
  '2 ** 53': () => 2 ** 53,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '1n': () => 1n,
  'an empty string': () => '',
  'a string': () => 'text',
  'a lone surrogate': () => '\uD800',
  'a huge string': () => 'x'.repeat(2 ** 24),
  'a symbol': () => Symbol('s'),
  'a function': () => () => 1,
  'an object': () => ({ a: 1 }),
  'an object without a prototype': () => Object.create(null),
  'an object that says it is a string': () => ({ toString: () => 'k', valueOf: () => 1 }),
  'an array': () => ['a'],
  'an array with a hole': () => new Array(2),
  'an empty array': () => [],
  'a Map': () => new Map(),
  'a Date': () => new Date(0),
  'a Promise': () => Promise.resolve(1),
  'a hostile proxy': () => hostile,
  'a revoked proxy': () => revoked({}),
  'a revoked array': () => revoked([]),
  'a Uint8Array': () => new Uint8Array([1, 2]),
  'an empty Uint8Array': () => new Uint8Array(0),
  'a detached Uint8Array': detached,
  'a Proxy of a Uint8Array': () => new Proxy(new Uint8Array(2), {}),
  'an impostor': () => Object.create(Uint8Array.prototype),
  'a Float32Array': () => new Float32Array(2),
  'an Int32Array': () => new Int32Array(2),
  'a Float64Array of NaN': () => new Float64Array([Number.NaN]),
  'a BigInt64Array': () => new BigInt64Array(2),
  'an ArrayBuffer': () => new ArrayBuffer(8),
  'a SharedArrayBuffer': () => new SharedArrayBuffer(8),
  'a DataView': () => new DataView(new ArrayBuffer(8)),
};

/** Options that no method takes. */
const wrongOptions: Record<string, () => unknown> = {
  null: () => null,
  true: () => true,
  'a number': () => 5,
  'a string': () => '1h',
  'an array': () => [],
  'a symbol': () => Symbol('s'),
  'an unknown option': () => ({ tll: 5 }),
  'an unknown option beside known ones': () => ({ ttl: '1h', tags: ['t'], __proto__: null, extra: undefined }),
};

const durations: Record<string, () => unknown> = {
  null: () => null,
  0: () => 0,
  '-0': () => -0,
  '-1': () => -1,
  '0.9': () => 0.9,
  NaN: () => Number.NaN,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  '2 ** 53': () => 2 ** 53,
  "'10'": () => '10',
  "'-1s'": () => '-1s',
  "''": () => '',
  '1n': () => 1n,
  true: () => true,
  'an object': () => ({ valueOf: () => 5 }),
  'a Date': () => new Date(5),
  'a symbol': () => Symbol('s'),
  'an array': () => ['1s'],
};

const costs: Record<string, () => unknown> = {
  null: () => null,
  '-1': () => -1,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '1e300': () => 1e300,
  "'5'": () => '5',
  '1n': () => 1n,
  'an object': () => ({}),
  'a symbol': () => Symbol('s'),
};

interface Spaces {
  cache: Cache;
  integers: Keyspace<Anything, unknown, unknown>;
  vectors: Keyspace<Anything, unknown, unknown>;
}

/** A cache with some entries, which no failing call may change. */
function prepared(): Spaces & { unchanged(): void } {
  const cache = openCache();
  const integers: Anything = cache.keyspace('integers', { codec: number, keys: 'integer' });
  const vectors: Anything = cache.keyspace('vectors', { codec: float32(2) });
  cache.set('text', utf8Of('value'), { ttl: '1h', tags: ['t'], cost: 2 });
  cache.set(new Uint8Array([1, 2]), utf8Of('value'));
  integers.set(1, 1);
  vectors.set('text', new Float32Array([1, 2]));
  const factsOf = () => {
    const { hits, misses, sets, deletes, evictions, expired, refusals, corrupted, entries } = cache.stats();
    const counts = { hits, misses, sets, deletes, evictions, expired, refusals, corrupted, entries };
    const { ttl, age: _, ...entry } = cache.entry('text')!;
    expect(ttl).toBeLessThanOrEqual(3_600_000);
    expect(ttl).toBeGreaterThan(3_500_000);
    return {
      counts,
      spaces: [integers.stats(), vectors.stats()],
      entry: { ...entry, value: textOf(entry.value) },
      entries: [cache, integers, vectors].map((space) => [...space.entries()].map(([key]) => `${key}`).sort()),
    };
  };
  const before = factsOf();
  return { cache, integers, vectors, unchanged: () => expect(factsOf()).toEqual(before) };
}

const CODES: Record<string, string> = { TypeError: 'ERR_INVALID_ARG_TYPE', RangeError: 'ERR_OUT_OF_RANGE' };

/** Calls with each value but the `fine` ones; `named` is how the message must begin. */
function refuses(
  what: string,
  call: (spaces: Spaces, value: Anything) => unknown,
  named: RegExp,
  fine: readonly string[],
  all: Record<string, () => unknown> = values,
) {
  test(what, () => {
    const { unchanged, ...spaces } = prepared();
    const accepted: string[] = [];
    const wrong: string[] = [];
    for (const [name, make] of Object.entries(all)) {
      if (fine.includes(name)) continue;
      const value = make();
      try {
        call(spaces, value);
        accepted.push(name);
      } catch (thrown) {
        // Of a getter or a proxy, which are the caller's.
        if (thrown === mine || name.startsWith('a revoked')) continue;
        const { name: kind, code, message } = thrown as { name: string; code: string; message: string };
        const good = kind in CODES && code === CODES[kind] && named.test(message) && message.length < 250;
        if (!good) wrong.push(`${name}: ${kind} ${code} ${message}`);
      }
    }
    expect({ accepted, wrong }).toEqual({ accepted: [], wrong: [] });
    unchanged();
  });
}

const TEXT_KEYS = ['a string', 'a Uint8Array'];
const INTEGER_KEYS = ['-0', '1', '-1'];
const NUMBERS = ['-0', '1', '-1', '1.5', '2 ** 53', 'NaN', 'Infinity'];
const BYTES = ['a Uint8Array', 'an empty Uint8Array'];
const ARRAYS = ['an array', 'an empty array'];

const keyed: [string, (space: Keyspace<Anything, unknown, unknown>, key: Anything) => unknown][] = [
  ['get', (space, key) => space.get(key)],
  ['getCopy', (space, key) => space.getCopy(key)],
  ['peek', (space, key) => space.peek(key)],
  ['entry', (space, key) => space.entry(key)],
  ['has', (space, key) => space.has(key)],
  ['delete', (space, key) => space.delete(key)],
  ['touch', (space, key) => space.touch(key)],
  ['touch with a ttl', (space, key) => space.touch(key, { ttl: '1m' })],
  ['getMany', (space, key) => space.getMany([key])],
  ['deleteMany', (space, key) => space.deleteMany([key])],
];

const setters: [string, (space: Keyspace<Anything, unknown, unknown>, key: Anything, value: Anything) => unknown][] = [
  ['set', (space, key, value) => space.set(key, value)],
  ['set with options', (space, key, value) => space.set(key, value, { ttl: '1m', tags: ['u'], cost: 1 })],
  ['setMany', (space, key, value) => space.setMany([[key, value]])],
];

describe.each(keyed)('%s refuses what is no key', (_, call) => {
  refuses('of strings and bytes', ({ vectors }, key) => call(vectors, key), /^key(s\[0\])?: expected /, TEXT_KEYS);
  refuses('of integers', ({ integers }, key) => call(integers, key), /^key(s\[0\])?: expected /, INTEGER_KEYS);
});

describe.each(setters)('%s refuses', (_, call) => {
  const root = ({ cache }: Spaces) => cache as Anything;
  refuses(
    'values that are no key',
    (spaces, key) => call(root(spaces), key, utf8Of('v')),
    /^key: expected /,
    TEXT_KEYS,
  );
  refuses('values that are no integer', ({ integers }, key) => call(integers, key, 1), /^key: expected /, INTEGER_KEYS);
  const noBytes = /^value: (expected a Uint8Array|its buffer was detached)/;
  refuses('values that are no bytes', (spaces, value) => call(root(spaces), 'text', value), noBytes, BYTES);
  const noVector = /^value: expected a Float32Array/;
  refuses('values that are no vector', ({ vectors }, value) => call(vectors, 'text', value), noVector, [
    'a Float32Array',
  ]);
  refuses(
    'values that are no number',
    ({ integers }, value) => call(integers, 1, value),
    /^value: expected a number/,
    NUMBERS,
  );
});

describe('batches refuse', () => {
  refuses('keys of getMany', ({ vectors }, keys) => vectors.getMany(keys), /^keys?(\[0\])?: /, ARRAYS);
  refuses('keys of deleteMany', ({ cache }, keys) => cache.deleteMany(keys), /^keys?(\[0\])?: /, ARRAYS);
  refuses(
    'keys of gather',
    ({ vectors }, keys) => vectors.gather(keys, new Float32Array(4)),
    /^keys?(\[0\])?: /,
    ARRAYS,
  );
  refuses('an out of gather', ({ vectors }, out) => vectors.gather(['text'], out), /^out: /, ['a Float32Array']);
  const empty = ['a Map', 'an empty array', 'an empty string', 'an empty Uint8Array'];
  const thatThrow = ['a detached Uint8Array', 'a Proxy of a Uint8Array', 'an impostor'];
  const iterables = [...empty, ...thatThrow];
  refuses('entries of setMany', ({ cache }, entries) => cache.setMany(entries), /^entries: /, iterables);
  refuses('a tag of deleteByTag', ({ cache }, tag) => cache.deleteByTag(tag), /^tag: expected /, ['a string']);
});

const optioned: [string, (spaces: Spaces, options: Anything) => unknown][] = [
  ['set', ({ cache }, options) => cache.set('text', utf8Of('v'), options)],
  ['set of another key', ({ integers }, options) => integers.set(2, 2, options)],
  ['setMany', ({ cache }, options) => cache.setMany([['text', utf8Of('v')]], options)],
];

describe.each(optioned)('%s refuses', (_, call) => {
  const one = (name: string) => (spaces: Spaces, value: Anything) => call(spaces, { [name]: value });
  refuses('values that are no options', call, /^options/, [], wrongOptions);
  refuses('a ttl', one('ttl'), /^options\.ttl: expected /, [], durations);
  refuses('a cost', one('cost'), /^options\.cost: expected /, [], costs);
  refuses('tags', one('tags'), /^options\.tags(\[0\])?: expected /, ['undefined', ...ARRAYS]);
  const oneTag = (spaces: Spaces, value: Anything) => call(spaces, { tags: ['fine', value] });
  refuses('a tag', oneTag, /^options\.tags\[1\]: expected /, ['a string']);
  const getters = Object.fromEntries(['ttl', 'tags', 'cost'].map((name) => [name, () => throwing(name)]));
  refuses('getters that throw', call, /^never$/, [], getters);
});

describe('touch refuses', () => {
  const call = ({ cache }: Spaces, options: Anything) => cache.touch('text', options);
  refuses('values that are no options', call, /^options/, [], wrongOptions);
  const ofSet = { tags: () => ({ ttl: '1h', tags: ['t'] }), cost: () => ({ cost: 1 }) };
  refuses('options of set', call, /^options\.(tags|cost): expected one of the options ttl/, [], ofSet);
  const ttl = ({ cache }: Spaces, value: Anything) => cache.touch('text', { ttl: value });
  refuses('a ttl', ttl, /^options\.ttl: expected /, [], durations);
  refuses('a getter that throws', call, /^never$/, [], { ttl: () => throwing('ttl') });
});

describe('keyspace refuses', () => {
  const named = ({ cache }: Spaces, name: Anything) => cache.keyspace(name, { codec: bytes });
  refuses('a name', named, /^name: expected /, ['a string']);
  const call = ({ cache }: Spaces, options: Anything) => cache.keyspace('new', options);
  const noOptions = { ...wrongOptions, undefined: () => undefined, 'no codec': () => ({}) };
  refuses('values that are no options', call, /^options/, [], noOptions);
  const options: [string, readonly string[], Record<string, () => unknown>][] = [
    ['codec', [], values],
    ['scope', ['undefined', 'a string'], values],
    ['ttl', [], durations],
    ['ttlJitter', ['undefined', '-0'], values],
    ['copy', ['undefined', 'true'], values],
    ['near', ['undefined', 'true'], values],
    ['keys', ['undefined'], values],
  ];
  for (const [name, fine, all] of options) {
    const one = (spaces: Spaces, value: Anything) => call(spaces, { codec: bytes, [name]: value });
    refuses(`a ${name}`, one, new RegExp(`^options\\.${name}: expected `), fine, all);
  }
  test('wrong options, and has then opened nothing', () => {
    const cache = openCache();
    expect(() => cache.keyspace('new', anything({ codec: bytes, near: 5 }))).toThrow(TypeError);
    expect(() => cache.keyspace('new', { codec: json, scope: 'other', keys: 'integer' })).not.toThrow();
  });
});

describe('open refuses', () => {
  refuses('values that are no options', (_, options) => open(options), /^options/, [], wrongOptions);
  const options: [string, readonly string[], Record<string, () => unknown>][] = [
    ['name', ['undefined', 'an empty string', 'a string'], values],
    ['maxBytes', ['undefined'], values],
    ['maxEntries', ['undefined', '1', 'Infinity'], values],
    ['verify', ['undefined'], values],
    ['policy', ['undefined'], values],
    ['ttl', [], durations],
    ['ttlJitter', ['undefined', '-0'], values],
  ];
  for (const [name, fine, all] of options) {
    const one = (_: Spaces, value: Anything) => open(anything({ maxBytes: '1MB', [name]: value }));
    refuses(`a ${name}`, one, new RegExp(`^options\\.${name}: expected `), fine, all);
  }
});

describe('a codec of one’s own', () => {
  const space = (codec: Anything) => openCache().keyspace('a', { codec }) as Keyspace<Anything, unknown, unknown>;
  const decode = () => 1;

  const returns = (_: Spaces, value: Anything) => space({ encode: () => value, decode }).set('k', 1);
  const noBytes = /^(what encode returned: expected a Uint8Array|(value|what encode returned): its buffer)/;
  refuses('must not return what are no bytes', returns, noBytes, BYTES);
  const called = (_: Spaces, name: Anything) => space({ name, encode: decode, decode });
  refuses('must not have a name', called, /^options\.codec\.name: expected /, ['undefined', 'a string']);

  test('that throws throws through, and nothing is stored or lost', () => {
    const fragile = space({
      encode(value: number) {
        if (value < 0) throw mine;
        return new Uint8Array([value]);
      },
      decode(encoded: Uint8Array) {
        if (encoded[0] === 7) throw mine;
        return encoded[0];
      },
    });
    fragile.setMany([
      ['fine', 5],
      ['bad', 7],
    ]);
    for (const call of [
      () => fragile.set('fine', -1),
      () => fragile.setMany([['fine', -1]]),
      () => fragile.get('bad'),
      () => fragile.getCopy('bad'),
      () => fragile.peek('bad'),
      () => fragile.entry('bad'),
      () => fragile.getMany(['fine', 'bad']),
      () => [...fragile.entries()],
    ]) {
      expect(errorOf(call)).toBe(mine);
    }
    expect(fragile.getMany(['fine', 'fine', 'absent'])).toEqual([5, 5, undefined]);
    expect(fragile.stats()).toMatchObject({ entries: 2, sets: 2 });
  });
});
