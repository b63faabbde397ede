// What `run` may give, and what is no result: errors and promises of any realm, and what the codec does not take.
import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { experiment, float32, json, promote } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { openCache } from '../fixtures/opened.js';

const elsewhere = (code: string) => runInContext(code, createContext({}));

/** `value`, but that it can be awaited. */
const thenable = (value: object, then: (resolve: (value: unknown) => void) => void) =>
  Object.defineProperty(value, 'then', { value: then });

/** A model of JSON whose answers for 'bad' are what `make` gives, and itself for every other text. */
const answering = (make: () => unknown) =>
  openCache().model<string, unknown, unknown, unknown>({
    ...TERMS,
    codec: json,
    run: (inputs) => inputs.map((input) => (input === 'bad' ? make() : input)),
  });

describe('as a result', () => {
  // Of memoizee#117: what can be awaited was kept, as `{}`.
  test.each([
    ['a promise', () => Promise.resolve(1)],
    ['a promise that rejects', () => Promise.reject(new Error('late'))],
    ['a promise of another realm', () => elsewhere('Promise.resolve(1)')],
    ['a promise of another realm that rejects', () => elsewhere('Promise.reject(new Error("late"))')],
    ['a thenable', () => thenable({}, (resolve) => resolve(1))],
    [
      'a function with then',
      () =>
        thenable(
          () => {},
          () => {},
        ),
    ],
    ['nothing', () => undefined],
    ['a function', () => () => {}],
    ['a symbol', () => Symbol('s')],
    ['a BigInt', () => 1n],
  ])('%s is refused with ERR_MODEL_RESULT, and the rest of the batch is kept', async (_, make) => {
    const model = answering(make);
    const settled = await Promise.allSettled(['a', 'bad', 'b'].map((input) => model.predict(input)));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((settled[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'ERR_MODEL_RESULT' });
    expect(['a', 'bad', 'b'].map((input) => model.peek(input))).toEqual(['a', undefined, 'b']);
    expect((await rejectionOf(model.predict('bad', { cache: 'no-store' }))).code).toBe('ERR_MODEL_RESULT');
    await new Promise(setImmediate); // for rejections that nobody hears of
  });

  test('a thenable is never called, because that may start its work', async () => {
    let asked = 0;
    const model = answering(() => thenable({}, () => asked++));
    expect((await rejectionOf(model.predict('bad'))).code).toBe('ERR_MODEL_RESULT');
    expect(asked).toBe(0);
  });

  test.each([
    ['an Error', () => new RangeError('not this')],
    ['an Error of another realm', () => elsewhere('new RangeError("not this")')],
    ['an Error of a class in another realm', () => elsewhere('new (class Mine extends Error {})("not this")')],
    ['an abort’s reason', () => new DOMException('not this', 'AbortError')],
  ])('%s fails its input alone', async (_, make) => {
    const error = make();
    const model = answering(() => error);
    const settled = await Promise.allSettled(['a', 'bad'].map((input) => model.predict(input)));
    expect(settled[0]).toEqual({ status: 'fulfilled', value: 'a' });
    expect((settled[1] as PromiseRejectedResult).reason).toBe(error);
    expect(model.peek('bad')).toBeUndefined();
  });

  test('what the codec refuses fails with the reason, and the codec’s error is the cause', async () => {
    const model = openCache().model({
      ...TERMS,
      codec: float32(2),
      run: (inputs: number[]) => inputs.map((input) => new Float32Array(input)),
    });
    const [right, wrong] = await Promise.allSettled([model.predict(2), model.predict(3)]);
    expect(right.status).toBe('fulfilled');
    const { reason } = wrong as PromiseRejectedResult;
    expect(reason).toMatchObject({ name: 'CacheError', code: 'ERR_MODEL_RESULT' });
    expect(reason.message).toBe('run of m, result 1: expected Float32Array of 2, received Float32Array of 3');
    expect(reason.cause).toBeInstanceOf(RangeError);
  });

  test('an array of another realm is accepted as the list of results', async () => {
    const { model } = shouting(openCache(), { run: () => elsewhere('Promise.resolve(["A"])') });
    expect(await model.predict('a')).toBe('A');
  });
});

describe('from another realm or another copy of the library,', () => {
  /** As an AbortSignal that is not of this realm's class. */
  function foreignSignal() {
    const controller = new AbortController();
    const { signal } = controller;
    const foreign = {
      get aborted() {
        return signal.aborted;
      },
      get reason() {
        return signal.reason;
      },
      addEventListener: signal.addEventListener.bind(signal),
      removeEventListener: signal.removeEventListener.bind(signal),
    } as unknown as AbortSignal;
    return { controller, foreign };
  }

  test('a signal ends the waiting', async () => {
    const { controller, foreign } = foreignSignal();
    const { model } = shouting(openCache(), { run: () => new Promise(() => {}) });
    const asked = rejectionOf(model.predict('a', { signal: foreign }));
    controller.abort(new Error('enough'));
    expect((await asked).message).toBe('enough');
    expect((await rejectionOf(model.predict('a', { signal: foreign }))).message).toBe('enough');
    const cache = openCache();
    const [from, to] = ['1', '2'].map((version) => shouting(cache, { version, keepInputs: 5 }).model);
    expect((await rejectionOf(promote({ from: from!, to: to!, signal: foreign }))).message).toBe('enough');
  });

  test('a model is recognised as one', () => {
    const cache = openCache();
    const [a, b] = ['1', '2'].map((version) => shouting(cache, { version }).model);
    // As one whose class was evaluated again: of another prototype, with the same brand.
    const twin = Object.create(Object.create(Object.getPrototypeOf(b!), {}), {});
    for (const name of ['scope', 'codec', 'name', 'version'] as const) twin[name] = b![name as 'name'];
    expect(() => experiment({ a: a!, b: twin })).not.toThrow();
    expect(() => experiment({ a: a!, b: { ...twin } })).toThrow(/^options\.b: /);
  });
});
