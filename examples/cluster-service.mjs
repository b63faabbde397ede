// A service of several processes.  Memory is not shared between processes: each has a cache of its own, a share of the
// whole, and requests are routed by key, so that a value lies in one of them and not in all.
//
//   node examples/cluster-service.mjs [PORT]
//   curl localhost:8080/score/42               x-served-by says which process; the same for one key, always
//   curl localhost:8080/stats                  of all of them together

import cluster from 'node:cluster';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { availableParallelism } from 'node:os';
import { number, open } from 'zerohop';

const PROCESSES = Math.max(2, availableParallelism());
const MAX_BYTES = 256 * 2 ** 20;
const PORT = Number(process.argv[2] ?? 8080);

if (cluster.isPrimary) {
  // Each process answers on a port of its own too; all are told of all, again when one was replaced.
  const ports = new Map();
  const fork = (member) => {
    const worker = cluster.fork({ MEMBER: member });
    worker.on('message', ({ port }) => {
      ports.set(member, port);
      if (ports.size < PROCESSES) return;
      for (const each of Object.values(cluster.workers)) each.send([...ports]);
    });
    worker.on('exit', () => {
      if (!worker.exitedAfterDisconnect) fork(member);
    });
  };
  for (let member = 0; member < PROCESSES; ++member) fork(member);
  let listening = 0;
  cluster.on('listening', (_, { port }) => {
    if (port === PORT && ++listening === PROCESSES) console.log(`listening on ${PORT}`);
  });
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await new Promise((resolve) => cluster.disconnect(resolve));
} else {
  const member = Number(process.env.MEMBER);
  const cache = open({ maxBytes: MAX_BYTES / PROCESSES, ttl: '10m' });
  const scores = cache.keyspace('scores', { codec: number });

  // Exclusive: what cluster does by default would share this port among the processes, too.
  const own = createServer((incoming, response) => answer(incoming.url, response));
  own.listen({ port: 0, host: '127.0.0.1', exclusive: true });
  await once(own, 'listening');
  process.on('SIGINT', () => {}); // Ctrl-C reaches all processes; the primary ends the others
  process.on('disconnect', () => process.exit()); // what was asked for is answered by then
  let members = new Map();
  process.on('message', (all) => {
    members = new Map(all);
  });
  process.send({ port: own.address().port });
  await once(process, 'message');

  createServer(async ({ url }, response) => {
    if (url === '/stats') {
      const asked = [...members.values()].map((port) => fetchJson(port).catch((error) => ({ error: String(error) })));
      return response.end(JSON.stringify(await Promise.all(asked)));
    }
    const owner = ownerOf(url);
    if (owner === member) return answer(url, response);
    const forwarded = request({ host: '127.0.0.1', port: members.get(owner), path: url }, (reply) => {
      response.writeHead(reply.statusCode, reply.headers);
      reply.on('error', () => response.destroy()).pipe(response);
    });
    // It is being replaced: this process computes the answer, and keeps it until it is evicted.
    forwarded.on('error', () => (response.headersSent ? response.destroy() : answer(url, response)));
    forwarded.end();
  }).listen(PORT);

  function answer(url, response) {
    if (url === '/stats') {
      const { hits, misses, entries } = cache.stats();
      return response.end(JSON.stringify({ member, hits, misses, entries }));
    }
    const key = /^\/score\/(.+)$/.exec(url)?.[1];
    if (key === undefined) return response.writeHead(404).end();
    let score = scores.get(key);
    response.setHeader('x-cache', score === undefined ? 'miss' : 'hit');
    response.setHeader('x-served-by', `${member}`);
    if (score === undefined) {
      score = scoreOf(key);
      scores.set(key, score);
    }
    response.end(`${score}`);
  }
}

/** Rendezvous hashing: when a process is added, only the keys that become its own move. */
function ownerOf(key) {
  let best = 0;
  let most = -1;
  for (let member = 0; member < PROCESSES; ++member) {
    const weight = createHash('sha256').update(`${member} ${key}`).digest().readUInt32LE();
    if (weight > most) [best, most] = [member, weight];
  }
  return best;
}

/** Stands in for the model. */
function scoreOf(key) {
  return createHash('sha256').update(key).digest().readUInt32LE() / 2 ** 32;
}

async function fetchJson(port) {
  return (await fetch(`http://127.0.0.1:${port}/stats`)).json();
}
