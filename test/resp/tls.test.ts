// A server's TLS: the same answers behind it, and what breaks it breaks nobody else.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Server, type ServeTlsOptions, serve } from 'zerohop';
import { type Certificates, makeCertificates } from '../fixtures/certificates.js';
import { openCache, until } from '../fixtures/opened.js';

let folder: string;
let certificates: Certificates;
const servers: Server[] = [];

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'zerohop-tls-'));
  certificates = makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function started(tls: Partial<ServeTlsOptions> = {}): Promise<{ server: Server; port: number }> {
  const { cert, key } = certificates.server;
  const server = serve(openCache({ maxBytes: '64MB' }), {
    port: false,
    host: '127.0.0.1',
    tls: { port: 0, cert, key, ...tls },
  });
  servers.push(server);
  await server.ready;
  return { server, port: Number(new URL(server.addresses[0]!).port) };
}

async function connected(port: number, identity: { cert?: string; key?: string } = {}) {
  const socket = {
    host: '127.0.0.1',
    port,
    tls: true as const,
    ca: certificates.ca,
    reconnectStrategy: false as const,
  };
  const client = createClient({ socket: { ...socket, ...identity } });
  client.on('error', () => {});
  return await client.connect();
}

test('clients set and get through TLS, also what is large', async () => {
  const { server, port } = await started();
  expect(server.addresses).toEqual([`rediss://127.0.0.1:${port}`]);
  const client = await connected(port);
  try {
    const large = 'x'.repeat(5_000_000);
    await client.set('large', large);
    expect(await client.get('large')).toBe(large);
    await Promise.all(Array.from({ length: 2000 }, (_, i) => client.set(`key ${i}`, `${i}`)));
    expect(await Promise.all(Array.from({ length: 2000 }, (_, i) => client.get(`key ${i}`)))).toEqual(
      Array.from({ length: 2000 }, (_, i) => `${i}`),
    );
  } finally {
    client.destroy();
  }
});

test('what is published reaches clients behind TLS', async () => {
  const { port } = await started();
  const [client, other] = [await connected(port), await connected(port)];
  try {
    const heard = new Promise((resolve) => void other.subscribe('news', (message) => resolve(message)));
    while ((await client.publish('news', 'hello')) === 0);
    expect(await heard).toBe('hello');
  } finally {
    client.destroy();
    other.destroy();
  }
});

test('with `ca`, a client must show a certificate that it signed', async () => {
  const { port } = await started({ ca: certificates.ca });
  await expect(connected(port)).rejects.toThrow();
  const client = await connected(port, certificates.client);
  expect(await client.ping()).toBe('PONG');
  client.destroy();
});

test('handshakes that are cut short or are none leave the server as it was', async () => {
  const { server, port } = await started();
  await Promise.all(
    Array.from(
      { length: 40 },
      (_, i) =>
        new Promise((resolve) => {
          const socket = connectPlain(port, '127.0.0.1', () => {
            socket.write(i % 2 === 0 ? 'PING\r\n' : Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]));
            if (i % 2 === 1) setTimeout(() => socket.destroy(), 5);
          });
          socket.on('error', () => {}).on('close', resolve);
        }),
    ),
  );
  const client = await connected(port);
  expect(await client.ping()).toBe('PONG');
  client.destroy();
  await until(() => server.stats().clients === 0);
});

test('a client that vanishes in the middle of a request is forgotten', async () => {
  const { server, port } = await started();
  const socket = connect({ port, host: '127.0.0.1', ca: certificates.ca }, () =>
    socket.write('*2\r\n$3\r\nGET\r\n$100'),
  );
  await until(() => server.stats().clients === 1);
  socket.destroy();
  await until(() => server.stats().clients === 0);
});

test('a key that is not the certificate’s is an error when the server is ready', async () => {
  const { cert } = certificates.server;
  const { key } = certificates.client;
  const server = serve(openCache(), { port: false, host: '127.0.0.1', tls: { port: 0, cert, key } });
  servers.push(server);
  await expect(server.ready).rejects.toMatchObject({ code: 'ERR_CACHE_IO' });
});
