// The client that the command line talks with: what it makes of any server's bytes, and of servers that say nothing.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { bytes as bytesCodec, serve } from 'zerohop';
import { otherPlace } from '../../dist/cli/other-server.js';
import { RespClient } from '../../dist/resp/client.js';
import { type Reply, ReplyParser } from '../../dist/resp/reply-parser.js';
import { serverPlace } from '../../dist/resp/url.js';
import { placeOfUrl } from '../../dist/tier/places.js';
import { makeCertificates } from '../fixtures/certificates.js';
import { ownFolder } from '../fixtures/folder.js';
import { openCache } from '../fixtures/opened.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function connected(url: string, options: { timeoutMs?: number; tls?: { ca: string } } = {}) {
  const client = await RespClient.connect(serverPlace(url), { timeoutMs: 10_000, ...options });
  ends.push(() => client.close());
  return client;
}

/** A server that does with each connection what it is told; returns its URL. */
async function server(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const listening: Server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  ends.push(() => {
    listening.close();
    for (const socket of sockets) socket.destroy();
  });
  return `redis://127.0.0.1:${(listening.address() as { port: number }).port}`;
}

function repliesTo(...chunks: Buffer[]): Reply[] {
  const replies: Reply[] = [];
  const parser = new ReplyParser((reply) => replies.push(reply));
  for (const chunk of chunks) parser.push(chunk);
  return replies;
}

describe('replies', () => {
  const stream = Buffer.concat([
    Buffer.from('+OK\r\n:-7\r\n:9007199254740993\r\n$-1\r\n*-1\r\n$0\r\n\r\n*0\r\n'),
    Buffer.from('*3\r\n$4\r\na\r\nb\r\n*2\r\n:1\r\n*1\r\n-ERR inner\r\n$1\r\n\xff\r\n', 'latin1'),
    Buffer.from('-NOAUTH say it\r\n'),
  ]);
  const expected = [
    'OK',
    -7,
    9007199254740993n,
    null,
    null,
    Buffer.alloc(0),
    [],
    [Buffer.from('a\r\nb'), [1, [expect.objectContaining({ reply: 'ERR' })]], Buffer.from([0xff])],
    expect.objectContaining({ code: 'ERR_RESP_REPLY', reply: 'NOAUTH', message: 'NOAUTH say it' }),
  ];

  test('are the same wherever the stream is cut', () => {
    expect(repliesTo(stream)).toEqual(expected);
    expect(repliesTo(...Array.from(stream, (byte) => Buffer.from([byte])))).toEqual(expected);
    for (let at = 1; at < stream.length; ++at)
      expect(repliesTo(stream.subarray(0, at), stream.subarray(at)), `cut at ${at}`).toEqual(expected);
  });

  test.each([
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n'],
    ['a map of RESP3', '%1\r\n'],
    ['a number without digits', ':\r\n'],
    ['a fraction', ':1.5\r\n'],
    ['a negative length', '$-2\r\n'],
    ['an endless length', '$9999999999999\r\n'],
    ['a string that is too long', '$1\r\nabc\r\n'],
    ['a line without CR', '+OK\n'],
    ['arrays within arrays', '*1\r\n'.repeat(40)],
    ['an endless line', 'x'.repeat(70_000)],
  ])('%s is no RESP2, and that is said', (_what, text) => {
    expect(() => repliesTo(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'ERR_RESP_PROTOCOL' }));
  });
});

describe('the URL of a server', () => {
  test.each([
    ['redis://localhost', { host: 'localhost', port: 6380, database: 0, user: '', password: undefined, tls: false }],
    ['redis://:p%40ss@h:7000/3', { host: 'h', port: 7000, database: 3, user: '', password: 'p@ss' }],
    ['rediss://me:secret@[::1]:1/', { host: '::1', port: 1, user: 'me', password: 'secret', tls: true }],
    ['unix:/run/a b.sock', { host: '', path: '/run/a b.sock', database: 0 }],
    ['unix:///run/z.sock?db=15', { path: '/run/z.sock', database: 15 }],
    ['redis+unix:///run/z.sock', { path: '/run/z.sock' }],
  ])('%s is understood, and shown without the password', (url, place) => {
    expect(serverPlace(url)).toMatchObject(place);
    expect(serverPlace(url).shown).not.toMatch(/secret|p@ss/);
  });

  test('has the port that its kind of server listens on, unless it says one', () => {
    for (const place of [serverPlace('redis://h', 6379), otherPlace('redis://h'), placeOfUrl('upstream', 'redis://h')])
      expect(place.shown).toBe('redis://h:6379');
    expect(serverPlace('redis://h').shown).toBe('redis://h:6380');
    expect(otherPlace('redis://h:6380').port).toBe(6380);
  });

  test.each([
    'http://secret@host',
    'redis://:secret@host/1024',
    'redis://:secret@host/x',
    'redis://%zz:secret@h',
    'secret',
  ])('%s is refused without being told again', (url) => {
    expect(() => serverPlace(url)).toThrow(expect.objectContaining({ code: 'ERR_RESP_URL' }));
    expect(() => serverPlace(url)).toThrow(expect.not.stringContaining('secret'));
  });
});

describe('a server of ours', () => {
  test('is reached by TCP, by a unix socket and through TLS, with password and database', async () => {
    const folder = ownFolder();
    const { ca, server: own } = makeCertificates(folder);
    const socket = path.join(folder, 'z.sock');
    const cache = openCache();
    const running = serve(cache, {
      port: 0,
      host: '127.0.0.1',
      path: socket,
      password: 'pass',
      tls: { port: 0, ...own },
    });
    ends.push(() => running.close());
    await running.ready;
    const [tcp, , tls] = running.addresses.map((address) => new URL(address).host);
    const bytes = Buffer.from([0, 13, 10, 255]);
    const first = await connected(`redis://:pass@${tcp}/2`);
    expect(await first.call('SET', bytes, bytes)).toBe('OK');
    expect(cache.keyspace('db2', { codec: bytesCodec }).has(bytes)).toBe(true);
    const second = await connected(`rediss://default:pass@${tls}/2`, { tls: { ca } });
    expect(await second.bytes('GET', bytes)).toEqual(bytes);
    await expect(connected(`redis://:wrong@${tcp}`)).rejects.toMatchObject({ reply: 'WRONGPASS' });
    await expect(connected(`rediss://:pass@${tls}`)).rejects.toMatchObject({ code: 'ERR_RESP_CONNECT' });
    const third = await connected(`unix:${socket}`);
    await expect(third.call('GET', 'key')).rejects.toMatchObject({ reply: 'NOAUTH' });
    expect(await third.call('AUTH', 'pass')).toBe('OK');
  });

  test('answers many requests that were sent before the first reply, each with its own', async () => {
    const running = serve(openCache({ maxBytes: '64MB' }), { port: 0, host: '127.0.0.1' });
    ends.push(() => running.close());
    const client = await connected(running.addresses[0]!);
    const numbers = Array.from({ length: 3000 }, (_, i) => i);
    const large = Buffer.alloc(5_000_000, 'x');
    const stored = [client.call('SET', 'large', large), ...numbers.map((i) => client.call('SET', `key ${i}`, i))];
    expect(new Set(await Promise.all(stored))).toEqual(new Set(['OK']));
    const replies = await Promise.all(numbers.map((i) => client.bytes('GET', `key ${i}`)));
    expect(replies.map(Number)).toEqual(numbers);
    expect((await client.bytes('GET', 'large')).equals(large)).toBe(true);
    expect(await Promise.allSettled([client.call('NOSUCH'), client.count('EXISTS', 'large')])).toMatchObject([
      { status: 'rejected', reason: { code: 'ERR_RESP_REPLY', reply: 'ERR' } },
      { status: 'fulfilled', value: 1 },
    ]);
  });
});

describe('a server that is none, or that does not answer', () => {
  test('is told apart: nobody listens, no answer, a closed connection, another protocol', async () => {
    const silent = await connected(await server(() => {}), { timeoutMs: 50 });
    await expect(silent.call('PING')).rejects.toMatchObject({
      code: 'ERR_RESP_TIMEOUT',
      message: expect.stringContaining('does not answer'),
    });
    await expect(silent.call('PING')).rejects.toMatchObject({ code: 'ERR_RESP_TIMEOUT' });
    const closing = await connected(await server((socket) => socket.once('data', () => socket.end('$10\r\nhalf'))));
    const both = await Promise.allSettled([closing.call('GET', 'a'), closing.call('GET', 'b')]);
    expect(both).toMatchObject([{ reason: { code: 'ERR_RESP_CLOSED' } }, { reason: { code: 'ERR_RESP_CLOSED' } }]);
    const other = await connected(
      await server((socket) => socket.once('data', () => socket.write('HTTP/1.1 400\r\n'))),
    );
    await expect(other.call('PING')).rejects.toMatchObject({ code: 'ERR_RESP_PROTOCOL' });
    const talkative = await connected(
      await server((socket) => socket.once('data', () => socket.write('+A\r\n+B\r\n'))),
    );
    expect(await talkative.call('PING')).toBe('A');
    await expect(talkative.call('PING')).rejects.toMatchObject({ code: 'ERR_RESP_PROTOCOL' });
    await expect(connected('redis://127.0.0.1:1')).rejects.toMatchObject({
      code: 'ERR_RESP_CONNECT',
      message: 'cannot connect: nobody listens there (redis://127.0.0.1:1)',
    });
    await expect(connected('unix:/nonexistent/z.sock')).rejects.toThrow('no such socket');
  });

  test('a connection that owes nothing may be silent for longer than the time-out', async () => {
    const client = await connected(await server((socket) => socket.on('data', () => socket.write('+PONG\r\n'))), {
      timeoutMs: 30,
    });
    expect(await client.call('PING')).toBe('PONG');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await client.call('PING')).toBe('PONG');
  });
});
