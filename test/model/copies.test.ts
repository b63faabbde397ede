// What `run` gets is what was named: a copy, which no caller can change, and which answers the same each time.

import { createContext, runInContext } from 'node:vm';
import * as ort from 'onnxruntime-common';
import { describe, expect, test } from 'vitest';
import { type Cache, json, type ModelBaseOptions, utf8 } from 'zerohop';
import { TERMS } from '../fixtures/models.js';
import { openCache } from '../fixtures/opened.js';

/** A model that answers with what `say` makes of an input, once `release` was called; `ran` are the inputs it got. */
function held(
  say: (input: never) => string,
  over: Partial<ModelBaseOptions<unknown>> = {},
  cache: Cache = openCache(),
) {
  let release!: () => void;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const ran: unknown[] = [];
  const model = cache.model<unknown, string, string, string>({
    ...TERMS,
    ...over,
    codec: utf8,
    run: async (inputs) => {
      ran.push(...inputs);
      await gate;
      return inputs.map((input) => say(input as never));
    },
  });
  return { model, ran, release };
}

const numbers = (input: ArrayLike<number>) => Array.from(input).join();
const tensorOf = (...values: number[]) => new ort.Tensor('float32', Float32Array.from(values), [values.length]);
const sharedOf = (...values: number[]) => {
  const view = new Int32Array(new SharedArrayBuffer(4 * values.length));
  view.set(values);
  return view;
};

type Kind = [string, () => unknown, (input: never) => void, (input: never) => string];

const kinds: Kind[] = [
  ['objects', () => ({ n: 1 }), (input: { n: number }) => (input.n = 2), ({ n }: { n: number }) => `${n}`],
  ['lists', () => [1, 2], (input: number[]) => input.pop(), numbers],
  ['typed arrays', () => Float32Array.of(1, 2), (input: Float32Array) => input.fill(9), numbers],
  ['Buffers', () => Buffer.from('ab'), (input: Buffer) => input.fill(0), (input: Buffer) => input.toString()],
  [
    'memory',
    () => Uint8Array.of(1).buffer,
    (of: ArrayBuffer) => structuredClone(of, { transfer: [of] }),
    (of) => numbers(new Uint8Array(of)),
  ],
  ['shared memory', () => sharedOf(1, 2), (input: Int32Array) => input.fill(9), numbers],
  [
    'tensors of a class',
    () => tensorOf(1, 2),
    (input: ort.Tensor) => (input.data as Float32Array).fill(9),
    (input: ort.Tensor) => numbers(input.data as Float32Array),
  ],
  [
    'plain tensors',
    () => ({ dtype: 'int8', shape: [1], data: Int8Array.of(1) }),
    (input: { data: Int8Array }) => input.data.fill(9),
    (input: { data: Int8Array }) => numbers(input.data),
  ],
  [
    'objects with data',
    () => ({ a: { b: Float32Array.of(1) } }),
    (input: { a: { b: Float32Array } }) => input.a.b.fill(9),
    (input: { a: { b: Float32Array } }) => numbers(input.a.b),
  ],
  [
    'Maps',
    () => new Map([['a', [1]]]),
    (input: Map<string, number[]>) => input.get('a')!.push(2),
    (input: Map<string, number[]>) => numbers(input.get('a')!),
  ],
  ['Sets', () => new Set([1]), (input: Set<number>) => input.clear(), (input: Set<number>) => numbers([...input])],
  ['Dates', () => new Date(5), (input: Date) => input.setTime(9), (input: Date) => `${input.getTime()}`],
];

describe.each(kinds)('%s', (_, make, change, say) => {
  test('may be changed by their caller as soon as predict returned, and nobody notices', async () => {
    const { model, ran, release } = held(say);
    const right = say(make() as never);
    const [one, two] = [make(), make()];
    const asked = [model.predict(one), model.predict(two), model.predictMany([make(), one])];
    change(one as never);
    release();
    expect(await Promise.all(asked)).toEqual([right, right, [right, right]]);
    expect(ran).toHaveLength(1);
    expect(model.peek(make())).toBe(right);
  });

  test('may be changed during a batch', async () => {
    const { model, release } = held(say);
    const right = say(make() as never);
    const one = make();
    const asked = model.predictMany([one, 'other'].slice(0, 1));
    change(one as never);
    release();
    expect(await asked).toEqual([right]);
    expect(model.peek(make())).toBe(right);
  });

  test('may be changed by run: what is kept for another version stays as it was', async () => {
    const cache = openCache();
    const { model, release } = held(
      (input) => {
        change(input);
        return 'done';
      },
      { keepInputs: 5 },
      cache,
    );
    release();
    const one = make();
    await model.predict(one);
    expect(say(one as never)).toBe(say(make() as never));
    expect(model.hottest(1).map((input) => say(input as never))).toEqual([say(make() as never)]);
  });

  test('reach run with the class that they had', async () => {
    const { model, ran, release } = held(say);
    release();
    const one = make();
    await model.predict(one);
    expect(ran[0]).not.toBe(one);
    expect(Object.getPrototypeOf(ran[0])).toBe(Object.getPrototypeOf(one));
    expect(ran[0]).toEqual(make());
  });
});

describe('an input that answers otherwise each time', () => {
  /** Counts how often it is read. */
  function turning(answers: readonly string[]) {
    let reads = 0;
    const next = () => answers[Math.min(reads++, answers.length - 1)];
    return { next, reads: () => reads };
  }

  const sayQ = ({ q }: { q: string }) => `answer to ${q}`;

  test.each([0, 1, 2, 3, 4])('by a getter poisons no result (evil at read %i)', async (at) => {
    const { model, release } = held(sayQ);
    release();
    const { next } = turning(['a', 'a', 'a', 'a', 'a', 'a'].map((text, i) => (i === at ? 'EVIL' : text)));
    const input = Object.defineProperty({}, 'q', { get: next, enumerable: true });
    await model.predict(input).catch(() => {});
    for (const q of ['a', 'EVIL']) expect(await model.predict({ q })).toBe(`answer to ${q}`);
  });

  test.each([0, 1, 2, 3, 4])('by a Proxy poisons no result, in a batch (evil at read %i)', async (at) => {
    const { model, release } = held(sayQ);
    release();
    const { next } = turning(['a', 'a', 'a', 'a', 'a', 'a'].map((text, i) => (i === at ? 'EVIL' : text)));
    const input = new Proxy({ q: '' }, { get: (of, name) => (name === 'q' ? next() : Reflect.get(of, name)) });
    await model.predictMany([input, { q: 'b' }]).catch(() => {});
    for (const q of ['a', 'b', 'EVIL']) expect(await model.predict({ q })).toBe(`answer to ${q}`);
  });

  test('is not read by run, nor by tags', async () => {
    const seen: unknown[] = [];
    const { model, ran, release } = held(sayQ, {
      tags: (input) => {
        seen.push(input);
        return [(input as { q: string }).q];
      },
    });
    release();
    const { next, reads } = turning(['a']);
    await model.predict(Object.defineProperty({}, 'q', { get: next, enumerable: true }));
    const before = reads();
    for (const one of [...seen, ...ran]) expect(Object.getOwnPropertyDescriptor(one, 'q')!.value).toBe('a');
    expect(reads()).toBe(before);
    expect(model.invalidateByTag('a')).toBe(1);
  });

  test.each([
    ['alone', {}],
    ['with negativeTtl', { negativeTtl: 1000 }],
    ['with replicas', { replicas: 1 }],
    ['with staleIfError', { ttl: '1h', staleIfError: '1h' }],
  ])('is read once for a hit, %s and in a batch', async (_, over) => {
    const { model, release } = held(sayQ, over);
    release();
    await model.predict({ q: 'a' });
    for (const ask of [
      (input: object) => model.predict(input),
      (input: object) => model.predictMany([input]),
      (input: object) => model.predict(input, { cache: 'only-if-cached' }),
    ]) {
      const { next, reads } = turning(['a']);
      await ask(Object.defineProperty({}, 'q', { get: next, enumerable: true }));
      expect(reads()).toBe(1);
    }
  });
});

describe('a copy', () => {
  test('keeps the order of members, members of odd names, and objects without a prototype', async () => {
    const { model, ran, release } = held(() => 'done');
    release();
    const input = JSON.parse('{"b":1,"a":{"__proto__":{"x":1}},"constructor":2,"2":0}');
    const bare = Object.assign(Object.create(null), { y: 1 });
    await model.predictMany([input, bare]);
    expect(JSON.stringify(ran[0])).toBe(JSON.stringify(input));
    expect(Object.getPrototypeOf((ran[0] as { a: object }).a)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(ran[1])).toBe(null);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test('is of the realm of its original', async () => {
    const { model, ran, release } = held(() => 'done');
    release();
    const realm = createContext({});
    const input = runInContext('({ list: [1], view: Float32Array.of(1), map: new Map([[1, 2]]) })', realm);
    await model.predict(input);
    realm['copyOf'] = ran[0];
    const ours = 'copyOf.list instanceof Array && copyOf.view instanceof Float32Array && copyOf.map instanceof Map';
    expect(runInContext(`copyOf instanceof Object && ${ours}`, realm)).toBe(true);
    expect(ran[0]).not.toBe(input);
  });

  test('hands on what does not count as it is', async () => {
    const { model, ran, release } = held(() => 'done', { fingerprint: { exclude: ['client'], normalization: 'NFC' } });
    release();
    class Client {
      readonly #secret = 1;
      get secret() {
        return this.#secret;
      }
    }
    const client = new Client();
    await model.predict({ q: 'a', client });
    expect((ran[0] as { client: Client }).client).toBe(client);
    const seen = { q: 'a', client, data: Int8Array.of(1) }; // three members, and data: no tensor all the same
    await model.predict(seen);
    expect((ran[1] as { client: Client }).client).toBe(client);
    expect((ran[1] as { data: Int8Array }).data).not.toBe(seen.data);
    const { model: tensors, release: go } = held(({ data }: { data: Int8Array }) => numbers(data), {
      fingerprint: { exclude: ['data'] },
    });
    const input = { dtype: 'int8', shape: [1], data: Int8Array.of(1) };
    const asked = tensors.predict(input);
    input.data.fill(9); // of a tensor everything counts
    go();
    expect(await asked).toBe('1');
  });

  test('is not made of text, because strings cannot change', async () => {
    const model = openCache().model<string, unknown, unknown, unknown>({
      ...TERMS,
      codec: json,
      run: (inputs) => inputs.map((input) => input),
    });
    expect(await model.predictMany(['a', 'b', 'a'])).toEqual(['a', 'b', 'a']);
  });
});
