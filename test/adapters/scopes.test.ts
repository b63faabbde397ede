// Scopes of the longest kind that options take, in every adapter.
import * as caches from '@langchain/core/caches';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import { describe, expect, test } from 'vitest';
import { cachedEmbeddings, keepAnswers, llmCache } from 'zerohop/langchain';
import { PARAMS, read, textOf, wrapped } from '../fixtures/language.js';
import { openCache } from '../fixtures/opened.js';

describe.each([
  ['letters', 's'],
  ['quotes, which JSON makes longer', '"'],
])('a scope of 1024 bytes of %s', (_, character) => {
  const scope = character.repeat(1024);
  const other = `${character.repeat(1023)}x`;

  test('keeps answers and streams of the AI SDK, apart from those of others', async () => {
    const cache = openCache({ maxBytes: '32MB' });
    const { model, calls } = wrapped(cache, { terms: { scope } });
    for (let round = 0; round < 2; ++round) {
      await model.doGenerate(PARAMS);
      expect(textOf(await read(model))).toBe('answer 2');
    }
    expect(calls).toHaveLength(2);
    const apart = wrapped(cache, { terms: { scope: other } });
    expect(textOf(await read(apart.model))).toBe('answer 1');
  });

  test('keeps answers and embeddings of LangChain, apart from those of others', async () => {
    const cache = openCache({ maxBytes: '32MB' });
    const own = llmCache(caches, { cache, scope });
    await own.update('p', 'k', [{ text: '1' }]);
    expect(await own.lookup('p', 'k')).toEqual([{ text: '1' }]);
    expect(await llmCache(caches, { cache, scope: other }).lookup('p', 'k')).toBeNull();
    const chat = keepAnswers(new FakeListChatModel({ responses: ['one', 'two'] }), caches, { cache, scope });
    for (let round = 0; round < 2; ++round) expect((await chat.invoke('q')).text).toBe('one');
    const inner = { embedDocuments: async () => [[1]], embedQuery: async () => [1] };
    expect(await cachedEmbeddings(inner, { cache, scope, model: 'm' }).embedDocuments(['a'])).toEqual([[1]]);
  });
});
