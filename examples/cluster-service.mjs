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

if (cluster.isPrimary) {
  // Each process listens on a port of its own, and forwards what belongs to another.
  const ports = new Map();
  for (let i = 0; i < PROCESSES; ++i) {
    cluster.fork({ MEMBER: i }).on('message', ({ member, port }) => {
      ports.set(member, port);
      if (ports.size < PROCESSES) return;
      for (const worker of Object.values(cluster.workers)) worker.send([...ports].sort(([a], [b]) => a - b));
      console.log(`listening on ${process.argv[2] ?? 8080}`);
    });
  }
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  for (const worker of Object.values(cluster.workers)) worker.kill();
} else {
  const member = Number(process.env.MEMBER);
  const cache = open({ maxBytes: MAX_BYTES / PROCESSES, ttl: '10m' });
  const scores = cache.keyspace('scores', { codec: number });

  // Exclusive: what cluster does by default would share this port among the processes, too.
  const own = createServer((incoming, response) => answer(incoming.url, response));
  own.listen({ port: 0, host: '127.0.0.1', exclusive: true });
  await once(own, 'listening');
  process.send({ member, port: own.address().port });
  const [members] = await once(process, 'message');

  createServer(async ({ url }, response) => {
    if (url === '/stats')
      return response.end(JSON.stringify(await Promise.all(members.map(([, port]) => fetchJson(port)))));
    const owner = ownerOf(url);
    if (owner === member) return answer(url, response);
    const forwarded = request({ host: '127.0.0.1', port: members[owner][1], path: url }, (reply) => {
      response.writeHead(reply.statusCode, reply.headers);
      reply.pipe(response);
    });
    forwarded.on('error', () => response.writeHead(502).end()).end();
  }).listen(Number(process.argv[2] ?? 8080));

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
