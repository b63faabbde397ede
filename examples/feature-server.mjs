// A feature server of the example's own: the online part of a feature store, with the wire form of Feast's server.
//
//   POST /get-online-features
//   { "features": ["user_stats:orders", …], "entities": { "user_id": [1, 2] } }
//   { "metadata": { "feature_names": ["user_id", "orders", …] },
//     "results": [{ "values": [1, 2], "statuses": ["PRESENT", "PRESENT"], "event_timestamps": ["…", "…"] }, …] }
//
// There is one result for each name, with a place for each entity. An entity that the store does not know has null and
// NOT_FOUND in each place.

import { once } from 'node:events';
import { createServer } from 'node:http';

const EPOCH = '1970-01-01T00:00:00Z'; // Feast's, for the entity itself and for what was not found

/**
 * @param {string} entity  the name of the entities, such as `user_id`
 * @param {Map<number, { at: string, features: Record<string, number | null> }>} store  by entity. It may change.
 * @returns {Promise<{ url: string, calls: number[], stop(): Promise<void>, start(): Promise<void> }>} `calls`: how many
 *   entities each request named
 */
export async function startFeatureServer(entity, store) {
  const calls = [];
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    if (request.method !== 'POST' || request.url !== '/get-online-features') return response.writeHead(404).end();
    const { features, entities } = JSON.parse(Buffer.concat(parts));
    const ids = entities[entity];
    calls.push(ids.length);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer(features, ids)));
  });

  function answer(features, ids) {
    const names = features.map((feature) => feature.split(':')[1]); // behind the name of the feature view
    const rows = ids.map((id) => store.get(id));
    const columns = names.map((name) => ({
      values: rows.map((row) => row?.features[name] ?? null),
      statuses: rows.map((row) => (row === undefined ? 'NOT_FOUND' : 'PRESENT')), // null may be what is there
      event_timestamps: rows.map((row) => row?.at ?? EPOCH),
    }));
    const own = { values: ids, statuses: ids.map(() => 'PRESENT'), event_timestamps: ids.map(() => EPOCH) };
    return { metadata: { feature_names: [entity, ...names] }, results: [own, ...columns] };
  }

  const listen = async (port) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server.address().port;
  };
  const port = await listen(0);
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    start: () => listen(port),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
