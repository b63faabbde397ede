// TLS on the way to Redis: to a single server, to the nodes of a cluster, and to Sentinels and the primary they name.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient, createCluster, createSentinel } from 'redis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type OpenOptions, utf8 } from 'zerohop';
import { makeCertificates } from '../fixtures/certificates.js';
import { answer } from '../fixtures/child.js';
import { until } from '../fixtures/opened.js';
import { TestCluster } from '../fixtures/redis-cluster.js';
import { NAME, startGroup } from '../fixtures/redis-sentinel.js';
import { startRedisServer, type TlsFiles } from '../fixtures/redis-servers.js';
import { openOver } from '../fixtures/upstream.js';

let tls: TlsFiles;
beforeAll(() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'zerohop-tls-'));
  tls = { folder, ca: makeCertificates(folder).ca };
});
afterAll(() => rmSync(tls.folder, { recursive: true, force: true }));

const socketOf = (port: number) => ({ host: '127.0.0.1', port, tls: true as const, ca: tls.ca });

async function startServer() {
  const server = await startRedisServer([], tls);
  onTestFinished(() => server.stop());
  return server;
}

/** Writes, reads, and hears of a change. */
async function works(upstream: OpenOptions['upstream'], change: (key: string, value: string) => Promise<unknown>) {
  const space = openOver(upstream).keyspace('t', { codec: utf8, upstream: true });
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  await Promise.all(keys.map((key) => space.setAsync(key, 'ours')));
  for (const key of keys) await change(`t:${key}`, 'theirs');
  await until(() => keys.every((key) => space.peek(key) === undefined));
  expect(await space.loadMany(keys)).toEqual(keys.map(() => 'theirs'));
}

test('a single server is reached with the socket of a client', async () => {
  const socket = socketOf((await startServer()).port);
  const other = await createClient({ socket }).connect();
  onTestFinished(() => other.destroy());
  await works(createClient({ socket }), (key, value) => other.set(key, value));
});

test('a server whose certificate nobody vouches for is not used', async () => {
  const { port } = await startServer();
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  const loader = (keys: unknown[]) => keys.map(() => 'made');
  const space = openOver(`rediss://127.0.0.1:${port}`).keyspace('t', { codec: utf8, upstream: { loader } });
  expect(await space.load('a')).toBe('made');
  expect((await warned).message).toMatch(/^rediss:.*certificate/);
});

test('every node of a cluster is reached with the socket of the defaults of a client', async () => {
  const cluster = await TestCluster.start(0, tls);
  onTestFinished(() => cluster.stop());
  const { host, port, ...socket } = socketOf(cluster.nodes[0]!.server.port);
  const client = createCluster({ rootNodes: [{ socket: { host, port } }], defaults: { socket } });
  await works(client, (key, value) => cluster.other.set(key, value));
  await urlsWork({ cluster: cluster.urls });
}, 60_000);

test('Sentinels and their primary are reached with the sockets of a client', async () => {
  const { primary, sentinels, nodes } = await startGroup(1, undefined, tls);
  const { host, port, ...socket } = socketOf(sentinels[0]!.port);
  const client = createSentinel({
    name: NAME,
    sentinelRootNodes: [{ host, port }],
    sentinelClientOptions: { socket },
    nodeClientOptions: { socket },
  });
  await works(client, (key, value) => primary.client.set(key, value));
  await urlsWork({ sentinel: { name: NAME, nodes } });
}, 60_000);

test('rediss:// trusts the authorities of the process', async () => {
  const { port } = await startServer();
  await urlsWork({ url: `rediss://127.0.0.1:${port}` });
}, 60_000);

/** In a process that trusts the authority. */
async function urlsWork(upstream: object): Promise<void> {
  process.env['NODE_EXTRA_CA_CERTS'] = path.join(tls.folder, 'ca.crt');
  onTestFinished(() => void delete process.env['NODE_EXTRA_CA_CERTS']);
  expect(await answer('upstream-works.mjs', { args: [JSON.stringify(upstream)] })).toBe('ours');
}
