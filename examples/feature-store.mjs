// Features of many entities, read through the cache: what is there is served, what is not is loaded for all of them at
// once, and that an entity has none is remembered too, as null, so that it is not asked for again and again.
//
// A store is a model whose `run` is a query: ids go in, rows come out. So two requests that miss the same entity make
// one load, a row that a stream brings meanwhile is not replaced by the older one of a load under way, and a new version of the
// feature definitions never sees rows of the old one.
//
//   node examples/feature-store.mjs

import { setTimeout as sleep } from 'node:timers/promises';
import { json, open, PUBLIC } from 'zerohop';

/** Ids of one query at most, as databases want it. */
const QUERY_IDS_MAX = 100;

/** Stands in for the database: users 0 to 999, those that divide by 10 without features. */
const table = new Map(
  Array.from({ length: 1000 }, (_, id) => id)
    .filter((id) => id % 10 !== 0)
    .map((id) => [id, { orders: id % 7, country: ['AT', 'PT', 'JP'][id % 3], spent: id % 2 === 0 ? id / 4 : null }]),
);

const queries = [];
async function rowsOf(ids) {
  queries.push(ids.length);
  const found = new Map(ids.filter((id) => table.has(id)).map((id) => [id, table.get(id)]));
  await sleep(1);
  return found;
}

const cache = open({ maxBytes: '64MB' });
const users = cache.model({
  name: 'user features',
  version: '3', // of the definitions
  scope: PUBLIC,
  codec: json,
  ttl: '5m',
  maxBatch: QUERY_IDS_MAX,
  async run(ids) {
    const rows = await rowsOf(ids);
    return ids.map((id) => rows.get(id) ?? null); // undefined would be no result, and fail
  },
});

/** Rows in the order of the ids, null for users without features. Ids are integers: 7 is another entity than '7'. */
async function featuresOf(ids) {
  for (const id of ids) if (!Number.isSafeInteger(id)) throw new TypeError(`id: expected an integer, received ${id}`);
  return users.predictMany(ids);
}

/** The queries that a request made, the entities that were in the cache, and those without features. */
async function request(ids) {
  const before = { queries: queries.length, hits: users.stats().hits };
  const rows = await featuresOf(ids);
  return {
    queries: queries.slice(before.queries),
    hits: users.stats().hits - before.hits,
    absent: rows.filter((row) => row === null).length,
    right: rows.every((row, i) => JSON.stringify(row) === JSON.stringify(table.get(ids[i]) ?? null)),
  };
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const facts = {
  first: await request(range(0, 50)),
  again: await request(range(0, 50)),
  partly: await request(range(25, 75)),
  absentAgain: await request([0, 10, 20, 30, 40]),
  many: await request(range(100, 350)),
};

// Two requests at once, which have half of their entities in common.
const before = queries.length;
const both = await Promise.all([featuresOf(range(400, 420)), featuresOf(range(410, 430))]);
facts.both = {
  queries: queries.slice(before),
  same: JSON.stringify(both[0].slice(10)) === JSON.stringify(both[1].slice(0, 10)),
};

// A stream brings features of an entity that had none; those of another while its older row is being loaded.
table.set(40, { orders: 1, country: 'AT', spent: null });
users.set(40, table.get(40));
const loading = featuresOf([501]);
table.set(501, { orders: 99, country: 'JP', spent: 12 });
users.set(501, table.get(501));
await loading;
facts.streamed = await request([40, 501]);

facts.numbers = users.fingerprint(7).hex !== users.fingerprint('7').hex;
facts.refused = await featuresOf(['7']).catch(({ name }) => name);
console.log(JSON.stringify(facts));
cache.close();
