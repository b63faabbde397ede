// What adapters tell the ledger: kept answers with their tokens, so that a report knows what they saved.
import { setTimeout as sleep } from 'node:timers/promises';
import * as caches from '@langchain/core/caches';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage } from '@langchain/core/messages';
import { describe, expect, test } from 'vitest';
import { type Cache, PUBLIC } from 'zerohop';
import { keepAnswers, llmCache } from 'zerohop/langchain';
import { ledgerOf, type ModelLedger, report } from 'zerohop/report';
import { answerOf, PARAMS, partsOf, read, STOP, USAGE, wrapped } from '../fixtures/language.js';
import { anything, openCache } from '../fixtures/opened.js';

/** A dollar for a million tokens of input, ten of output. */
const prices = {
  name: 'test',
  date: '2026-11-30',
  tokens: { 'gpt-x': { inputUsd: 1, cachedInputUsd: 0.5, outputUsd: 10, repeatsAreCached: false } },
};

/** The figures of the only period of the only model. */
function figures(cache: Cache): ModelLedger['periods'][number] & { model: string; version: string } {
  const { models } = ledgerOf(cache);
  expect(models).toHaveLength(1);
  const { model, version, periods } = models[0]!;
  expect(periods).toHaveLength(1);
  return { model, version, ...periods[0]! };
}

const least = (cache: Cache) => report(cache, { prices }).total.usd.saved[0];

describe('an answer of the AI SDK', () => {
  test('is paid by the tokens of the call that made it, at the price of the provider’s model', async () => {
    const cache = openCache();
    const usage = {
      ...USAGE,
      inputTokens: { total: 300_000, noCache: 100_000, cacheRead: 200_000, cacheWrite: undefined },
    };
    const generate = () => ({ ...answerOf('answer'), usage });
    const { model, calls } = wrapped(cache, { provider: 'openai.chat', modelId: 'gpt-x', generate });
    for (let i = 0; i < 3; ++i) expect((await model.doGenerate(PARAMS)).usage).toEqual(usage);
    expect(calls).toHaveLength(1);
    const { hit, asked, ...others } = figures(cache);
    const tokens = { inputTokens: 300_000, cachedInputTokens: 200_000, outputTokens: 5 };
    expect(others).toMatchObject({ model: 'ai-sdk generate', version: '["openai.chat","gpt-x"]' });
    expect(asked).toMatchObject({ count: 1, priced: 1, ...tokens });
    expect(hit).toMatchObject({
      count: 2,
      priced: 2,
      inputTokens: 600_000,
      cachedInputTokens: 400_000,
      outputTokens: 10,
    });
    expect(hit.ms / asked.ms).toBeCloseTo(2, 5);
    expect(least(cache)).toBeCloseTo(2 * (0.1 + 0.1 + 5e-5), 4);
  });

  test.each([
    ['as numbers', { inputTokens: 3, outputTokens: 5, cachedInputTokens: 2 }, 2],
    ['as objects', USAGE, 0],
  ])('has tokens that are told %s', async (_, usage, cached) => {
    const cache = openCache();
    const { model } = wrapped(cache, { generate: () => ({ ...answerOf('a'), usage }) });
    for (let i = 0; i < 2; ++i) await model.doGenerate(PARAMS);
    expect(figures(cache).hit).toMatchObject({ priced: 1, inputTokens: 3, cachedInputTokens: cached, outputTokens: 5 });
  });

  test('whose tokens nobody knows counts without them', async () => {
    const cache = openCache();
    const unknown = { inputTokens: { total: undefined }, outputTokens: { total: 5 } };
    for (const usage of [undefined, unknown, { inputTokens: Number.NaN, outputTokens: -1 }]) {
      cache.clear();
      const { model } = wrapped(cache, { generate: () => ({ ...answerOf('a'), usage }) });
      for (let i = 0; i < 2; ++i) await model.doGenerate(PARAMS);
    }
    expect(figures(cache).hit).toMatchObject({ count: 3, priced: 0, inputTokens: 0 });
    expect(figures(cache).hit.measured).toBe(3);
  });

  test('that streams counts too, and who joins a stream under way counts apart', async () => {
    const cache = openCache();
    const { model, calls } = wrapped(cache, { provider: 'openai', modelId: 'gpt-x' });
    await Promise.all([read(model), read(model), read(model)]);
    for (let i = 0; i < 4; ++i) await read(model);
    expect(calls).toHaveLength(1);
    const { hit, asked, coalesced, lookups, ...others } = figures(cache);
    expect(others).toMatchObject({ model: 'ai-sdk stream', version: '["openai","gpt-x"]' });
    expect(asked).toMatchObject({ count: 1, priced: 1, inputTokens: 3, outputTokens: 5 });
    expect(coalesced).toMatchObject({ count: 2, priced: 2 });
    expect(hit).toMatchObject({ count: 4, priced: 4, inputTokens: 12, outputTokens: 20 });
    expect(hit.ms / asked.ms).toBeCloseTo(4, 5);
    expect(lookups).toBe(7);
  });

  test('that streams to a slow reader is worth what the model took, not the reader', async () => {
    const cache = openCache();
    const { model } = wrapped(cache);
    const { stream } = await model.doStream(PARAMS);
    let slow = 0;
    for await (const _ of anything(stream)) {
      const begun = performance.now();
      await sleep(20);
      slow += performance.now() - begun;
    }
    expect(slow).toBeGreaterThan(100);
    expect(figures(cache).asked.ms).toBeLessThan(slow);
  });

  test('that fails or is not kept saves nothing', async () => {
    const cache = openCache();
    const cut = { type: 'finish', usage: USAGE, finishReason: { ...STOP, unified: 'length' } };
    const { model } = wrapped(cache, { stream: () => [...partsOf('a').slice(0, -1), cut] });
    for (let i = 0; i < 2; ++i) await read(model);
    expect(figures(cache)).toMatchObject({ hit: { count: 0 }, asked: { count: 2, inputTokens: 6 } });
  });
});

class Chat extends BaseChatModel {
  calls = 0;
  constructor(
    readonly model: string,
    readonly told: object,
  ) {
    super({});
  }
  override _llmType(): string {
    return 'chat';
  }
  override async _generate() {
    this.calls++;
    await sleep(1);
    const { llmOutput, ...message } = this.told as { llmOutput?: object };
    return {
      generations: [{ text: 'answer', message: new AIMessage({ content: 'answer', ...message }) }],
      ...(llmOutput && { llmOutput: anything(llmOutput) }),
    };
  }
}

describe('an answer of LangChain', () => {
  const usage_metadata = {
    input_tokens: 300_000,
    output_tokens: 5,
    total_tokens: 300_005,
    input_token_details: { cache_read: 200_000 },
  };

  test.each([
    ['its message', { usage_metadata }, 200_000],
    ['what the model says beside it', { llmOutput: { tokenUsage: { promptTokens: 300_000, completionTokens: 5 } } }, 0],
  ])('is paid by the tokens of %s', async (_, told, cached) => {
    const cache = openCache();
    const chat = keepAnswers(new Chat('gpt-x', told), caches, { cache, scope: PUBLIC });
    for (let i = 0; i < 3; ++i) expect((await chat.invoke('q')).content).toBe('answer');
    expect(chat.calls).toBe(1);
    const { hit, asked, ...others } = figures(cache);
    expect(others).toMatchObject({ model: 'langchain chat', version: 'gpt-x' });
    expect(hit).toMatchObject({
      count: 2,
      measured: 2,
      priced: 2,
      inputTokens: 600_000,
      cachedInputTokens: 2 * cached,
    });
    expect(asked).toMatchObject({ count: 1, priced: 1, outputTokens: 5 });
    const usdOfOne = (300_000 - cached) / 1e6 + (cached / 1e6) * 0.5 + 5e-5;
    expect(least(cache)).toBeCloseTo(2 * usdOfOne, 4);
  });

  test('of models with other names is never another model’s, and counts apart', async () => {
    const cache = openCache();
    for (const name of ['gpt-x', 'gpt-y']) {
      const chat = keepAnswers(new Chat(name, {}), caches, { cache, scope: PUBLIC });
      for (let i = 0; i < 2; ++i) await chat.invoke('q');
      expect(chat.calls).toBe(1);
    }
    const { models } = report(cache);
    expect(models.map(({ version, hits, tokens }) => [version, hits, tokens])).toEqual([
      ['gpt-x', 1, null],
      ['gpt-y', 1, null],
    ]);
  });

  test('in a cache of language models counts tokens, and no time, which LangChain does not tell', async () => {
    const cache = openCache();
    const own = llmCache(caches, { cache, scope: PUBLIC });
    const key = '_model:"base_chat_model",_type:"openai",model_name:"gpt-x"';
    const message = new AIMessage({ content: 'a', usage_metadata });
    expect(await own.lookup('q', key)).toBeNull();
    await own.update('q', key, [{ text: 'a', message }]);
    for (let i = 0; i < 2; ++i) expect(await own.lookup('q', key)).toHaveLength(1);
    const { hit, asked, ...others } = figures(cache);
    expect(others).toMatchObject({ model: 'langchain llm', version: 'gpt-x' });
    expect(asked).toMatchObject({ count: 1, measured: 0, priced: 1, inputTokens: 300_000 });
    expect(hit).toMatchObject({ count: 2, measured: 0, priced: 2, cachedInputTokens: 400_000 });
    expect(report(cache).models[0]!.notes).toContainEqual(expect.stringContaining('2 hits count as 0 s'));
  });
});
