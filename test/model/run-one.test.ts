// runOne: a model that computes one input at a time.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { json, type ModelBaseOptions, result, utf8 } from 'zerohop';
import { rejectionOf, TERMS } from '../fixtures/models.js';
import { anything, errorOf, openCache, turn } from '../fixtures/opened.js';

type RunOne = (input: string, context: { signal: AbortSignal; key: Uint8Array }) => unknown;

const one = (runOne: RunOne, over: Partial<ModelBaseOptions<string>> = {}) =>
  openCache().model<string, string, string, string>({ ...TERMS, codec: utf8, runOne: runOne as never, ...over });

describe('runOne', () => {
  test('computes each input by itself, once', async () => {
    const asked: string[] = [];
    const model = one(async (input) => {
      asked.push(input);
      return input.toUpperCase();
    });
    expect(await model.predictMany(['a', 'b', 'a'])).toEqual(['A', 'B', 'A']);
    expect(await model.predict('b')).toBe('B');
    expect(asked).toEqual(['a', 'b']);
    expect(model.stats()).toMatchObject({ runs: 2, computed: 2, joined: 1, hits: 1 });
  });

  test.each<[string, RunOne, object]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
      { message: 'no' },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no');
      },
      { message: 'no' },
    ],
    ['gives an Error', () => new Error('no'), { message: 'no' }],
    [
      'gives nothing',
      () => undefined,
      { code: 'ERR_MODEL_RESULT', message: 'runOne of m: expected a result, received undefined' },
    ],
    [
      'gives what the codec refuses',
      () => 1,
      { code: 'ERR_MODEL_RESULT', message: 'runOne of m: expected a string, received number 1' },
    ],
  ])('that %s fails its input alone', async (_, bad, expected) => {
    const model = one((input, context) => (input === 'bad' ? bad(input, context) : input));
    const settled = await model.settle(['a', 'bad', 'b']);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((settled[1] as PromiseRejectedResult).reason).toMatchObject(expected);
    expect(model.peek('bad')).toBeUndefined();
    expect(model.peek('b')).toBe('b');
  });

  test('gets the fingerprint of its input', async () => {
    const keys: Uint8Array[] = [];
    const model = one((input, { key }) => {
      keys.push(key);
      return input;
    });
    await model.predict('a');
    expect(Buffer.from(keys[0]!).toString('hex')).toBe(model.fingerprint('a').hex);
  });

  test('has a signal for each input: it is aborted when nobody waits for that one', async () => {
    const signals = new Map<string, AbortSignal>();
    const model = one((input, { signal }) => {
      signals.set(input, signal);
      return new Promise((resolve) => setTimeout(() => resolve(input), 20));
    });
    const controller = new AbortController();
    const left = rejectionOf(model.predict('a', { signal: controller.signal }));
    const stays = model.predict('b');
    await turn();
    controller.abort(new Error('enough'));
    expect((await left).message).toBe('enough');
    expect(await stays).toBe('b');
    expect([signals.get('a')!.aborted, signals.get('b')!.aborted]).toEqual([true, false]);
  });

  test('has a time limit for each input', async () => {
    const model = one((input) => (input === 'hangs' ? new Promise(() => {}) : input), { timeout: 20 });
    const [hangs, other] = await model.settle(['hangs', 'b']);
    expect(other).toEqual({ status: 'fulfilled', value: 'b' });
    expect((hangs as PromiseRejectedResult).reason).toMatchObject({ code: 'ERR_MODEL_TIMEOUT' });
  });

  test('runs `concurrency` inputs at a time, in their order', async () => {
    let running = 0;
    let most = 0;
    const order: string[] = [];
    const model = one(
      async (input) => {
        most = Math.max(most, ++running);
        order.push(input);
        await sleep(1);
        running--;
        return input;
      },
      { concurrency: 3 },
    );
    const inputs = Array.from({ length: 40 }, (_, i) => `${i}`);
    expect(await model.predictMany(inputs)).toEqual(inputs);
    expect(most).toBe(3);
    expect(order).toEqual(inputs);
  });

  test('takes its turns in order also when a great many wait', async () => {
    const model = one(
      async (input) => {
        await turn();
        return input;
      },
      { concurrency: 500 },
    );
    const inputs = Array.from({ length: 3000 }, (_, i) => `${i}`);
    expect(await model.predictMany(inputs)).toEqual(inputs);
  });

  test('may say how its result is kept', async () => {
    const model = one((input) => result(input, { cost: 70, computed: false }));
    await model.predict('a');
    expect(model.entry('a')!.cost).toBeCloseTo(70);
    expect(model.stats()).toMatchObject({ computed: 0, upstreamHits: 1 });
  });

  test('gives an object with a status as it is', async () => {
    const verdict = { status: 'rejected', reason: 'fraud' };
    const model = openCache().model({ ...TERMS, codec: json, runOne: (_: string) => verdict });
    expect(await model.predict('a')).toEqual(verdict);
  });

  test('is called as a method of nothing, and not within `predict`', async () => {
    let self: unknown = 'nobody';
    const model = one(function (this: unknown, input) {
      self = this;
      return input;
    });
    const asked = model.predict('a');
    expect(self).toBe('nobody');
    await asked;
    expect(self).toBeUndefined();
  });

  test.each<[object, string]>([
    [{ runOne: 1 }, 'options.runOne: expected a function of an input'],
    [{ runOne: () => '', run: () => [] }, 'options.run: expected nothing beside runOne'],
    [{ runOne: () => '', maxBatch: 4 }, 'options.maxBatch: expected nothing beside runOne'],
    [{ runOne: () => '', batchWindow: 4 }, 'options.batchWindow: expected nothing beside runOne'],
    [{}, 'options.run: expected a function of a batch of inputs (or runOne'],
  ])('is refused as %j', (given, message) => {
    const made = errorOf(() => openCache().model(anything({ ...TERMS, codec: utf8, ...given })));
    expect(made).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(made.message.startsWith(message)).toBe(true);
  });
});
