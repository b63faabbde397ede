// Semantic search, two things kept: embeddings of queries, which last as long as the encoder, and lists of results, which last as
// long as the index.
//
//   query -> fingerprint of (encoder, index version, k, query) -> a list that is kept
//                                                              -> embedding (kept) -> the k nearest of the index -> a new list
//
// The index version is in the key. So from the moment that there is a new index no request finds a list of the old one, also
// none that was computed while the index changed and stored after. Forgetting by tag only gives memory back earlier.
//
//   node examples/search-results.mjs

import { setTimeout as sleep } from 'node:timers/promises';
import { fingerprint, float32, json, open, PUBLIC, pipelineFingerprint } from 'zerohop';

const DIMENSIONS = 128;
const ENCODER = { name: 'encoder', version: '2026-11' };

const cache = open({ maxBytes: '64MB' });
const queries = cache.model({
  ...ENCODER,
  scope: PUBLIC,
  codec: float32(DIMENSIONS),
  async run(texts) {
    await sleep(1);
    return texts.map(embed);
  },
});
const lists = cache.keyspace('search results', { codec: json, ttl: '1h' });

/** Stands in for the model: words, each at a place of its own or nearly so; length 1. */
function embed(text) {
  const vector = new Float32Array(DIMENSIONS);
  for (const word of text.toLowerCase().match(/\w+/g) ?? []) {
    let state = 2166136261;
    for (const byte of Buffer.from(word)) state = Math.imul(state ^ byte, 16777619);
    vector[(state >>> 8) % DIMENSIONS] += 1;
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

/** An index: its documents, their vectors, and a version that is the same exactly if these are. */
function indexOf(documents) {
  const version = fingerprint({ scope: PUBLIC, model: ENCODER, input: documents }).base64url;
  return { version, tag: `index ${version}`, documents, vectors: documents.map(embed) };
}

let index;
let scans = 0;

/** The `k` documents that are nearest to a query, with their scores: from one index, the one there is when it is asked. */
async function search(query, k = 3) {
  const { version, tag, documents, vectors } = index;
  const key = pipelineFingerprint({
    scope: PUBLIC,
    pipeline: 'search',
    models: [ENCODER, { name: 'index', version }],
    params: { k },
    input: query,
  });
  const kept = lists.get(key);
  if (kept !== undefined) return kept;
  const vector = await queries.predict(query);
  scans++;
  const list = vectors
    .map((each, i) => ({ id: i, score: each.reduce((sum, value, j) => sum + value * vector[j], 0) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score || one.id - other.id)
    .slice(0, k)
    .map(({ id, score }) => ({ text: documents[id], score: Math.round(score * 1000) / 1000 }));
  lists.set(key, list, { tags: [tag] });
  return list;
}

/** From here on results are of these documents. Returns how many lists of the index before were forgotten. */
function reindex(documents) {
  const before = index;
  index = indexOf(documents);
  return before === undefined || before.version === index.version ? 0 : lists.deleteByTag(before.tag);
}

const corpus = [
  'a cache keeps what was computed',
  'an index finds documents that are near a query',
  'a tokenizer makes numbers of text',
  'a cache in front of a database',
  'vectors that are near have a similar meaning',
  'the weather in the mountains changes quickly',
];
const added = 'a cache for search results';

/** The texts of a search, and what had to be computed for it. */
async function request(query, k) {
  const before = { scans, embedded: queries.stats().computed };
  const found = await search(query, k);
  return {
    texts: found.map(({ text }) => text),
    scans: scans - before.scans,
    embedded: queries.stats().computed - before.embedded,
  };
}

reindex(corpus);
const facts = {
  first: await request('what is a cache', 2),
  again: await request('what is a cache', 2),
  more: await request('what is a cache', 3), // another list, from the same embedding
  nothing: [await request('zzz', 2), await request('zzz', 2)], // that nothing was found is a result
};

// The same documents are the same index: nothing is forgotten. One more, and no list of the old one is found.
facts.sameIndex = { forgotten: reindex([...corpus]), ...(await request('what is a cache', 2)) };
const late = search('search results', 2); // asks the old index, and is stored when there is a new one
facts.forgotten = reindex([...corpus, added]);
facts.late = (await late).some(({ text }) => text === added);
facts.newIndex = [await request('search results', 2), await request('what is a cache', 2)];
facts.kept = [...lists.keys()].length; // those two, and the late one until it ends
console.log(JSON.stringify(facts));
cache.close();
