// Streams of the AI SDK's language models that are under way: who joins them, and what becomes of them.
import { describe, expect, test } from 'vitest';
import { read, textOf, wrapped } from '../fixtures/language.js';
import { openCache } from '../fixtures/opened.js';

describe('a stream under way', () => {
  test('fails for all who asked if the model throws before it gives a promise, and is then asked for again', async () => {
    let asked = 0;
    const { model } = wrapped(openCache(), {
      opens: () => {
        if (++asked === 1) throw new Error('thrown at once');
      },
    });
    for (const one of await Promise.allSettled([read(model), read(model)]))
      expect((one as PromiseRejectedResult).reason.message).toBe('thrown at once');
    for (let round = 0; round < 2; ++round) expect(textOf(await read(model))).toBe('answer 1');
    expect(asked).toBe(2);
  });
});
