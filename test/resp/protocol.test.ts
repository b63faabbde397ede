// What a server makes of any bytes: compared, reply by reply, with a second parser. Redis is held to it too.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis, startZerohop, type TestServer } from '../fixtures/redis-servers.js';
import { type Parsed, parseRequests } from '../fixtures/request-parser.js';

const STREAMS = 400;

/** Sends the bytes in pieces, and returns all that comes back until the server ends the connection. */
function exchange(port: number, pieces: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const replies: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true).on('data', (chunk) => replies.push(chunk));
    socket.on('error', reject).on('close', () => resolve(Buffer.concat(replies)));
    for (const piece of pieces) socket.write(piece);
    socket.end();
  });
}

/** What PING and ECHO answer, and what is answered to an error of the protocol. */
function replyTo(parsed: Parsed): Buffer {
  if ('error' in parsed) return Buffer.from(`-ERR Protocol error: ${parsed.error}\r\n`, 'latin1');
  const [name, argument] = parsed.args;
  if (name!.toString('latin1').toLowerCase() === 'ping') return Buffer.from('+PONG\r\n');
  return Buffer.concat([Buffer.from(`$${argument!.length}\r\n`), argument!, Buffer.from('\r\n')]);
}

const bulk = (bytes: Buffer) => Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
const echo = (bytes: Buffer) => Buffer.concat([Buffer.from('*2\r\n'), bulk(Buffer.from('ECHO')), bulk(bytes)]);

/** A stream of numbers from a seed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Requests that are right, and now and then one that is not. */
function streamOf(draw: (below: number) => number): Buffer {
  const bytes = (most: number) => Buffer.from(Array.from({ length: draw(most) }, () => draw(256)));
  const word = () => `w${draw(1000)}`;
  const pieces = [
    () => echo(bytes(300)),
    () => echo(bytes(40)),
    () => Buffer.from('*1\r\n$4\r\nPiNg\r\n'),
    () => Buffer.from('PING\r\n'),
    () => Buffer.from(`ECHO ${word()}\n`),
    () => Buffer.from(`ECHO "${word()} \\x41\\n\\"${word()}"\r\n`),
    () => Buffer.from(`  ECHO 'it\\'s ${word()}'\r\n`),
    () => Buffer.from('\r\n'),
    () => Buffer.from('*0\r\n*-1\r\n'),
  ];
  const broken = [
    () => Buffer.from(`ECHO "${word()}\r\n`),
    () => Buffer.from(`ECHO '${word()}'x\r\n`),
    () => Buffer.from('*abc\r\n'),
    () => Buffer.from('*3000000000\r\n'),
    () => Buffer.from('*2\r\n:4\r\nECHO\r\n'),
    () => Buffer.from('*2\r\n$4\r\nECHO\r\n$-1\r\n'),
    () => Buffer.from('*2\r\n$4\r\nECHO\r\n$ 1\r\nx\r\n'),
    () => Buffer.from('*2\r\n$4\r\nECHO\r\n$99999999999\r\n'),
    () => echo(bytes(50)).subarray(0, draw(20)),
    () => Buffer.alloc(70_000, 'x'),
    () => Buffer.concat([Buffer.from('*'), Buffer.alloc(70_000, '1')]),
  ];
  const parts = Array.from({ length: 1 + draw(20) }, () => pieces[draw(pieces.length)]!());
  if (draw(3) > 0) parts.push(broken[draw(broken.length)]!());
  return Buffer.concat(parts);
}

function split(bytes: Buffer, draw: (below: number) => number): Buffer[] {
  const pieces: Buffer[] = [];
  const most = [1, 3, 17, 1000, 100_000][draw(5)]!;
  const step = () => 1 + draw(most);
  if (bytes.length > 2000 * most) return [bytes];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + step());
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

describe.each([
  ['Redis', startRedis],
  ['zerohop', startZerohop],
] as const)('the protocol of %s', (_name, start) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  test(`${STREAMS} streams of requests, split anywhere, get the replies that a second parser expects`, async () => {
    for (let seed = 0; seed < STREAMS; seed += 8) {
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          const draw = random(seed + i);
          const stream = streamOf(draw);
          const expected = Buffer.concat(parseRequests(stream).map(replyTo));
          const replies = await exchange(server.port, split(stream, draw));
          expect(replies.toString('latin1'), `seed ${seed + i}`).toBe(expected.toString('latin1'));
        }),
      );
    }
  });

  test('a request is understood wherever it is cut in two', async () => {
    const request = Buffer.concat([echo(Buffer.from('one\r\ntwo')), Buffer.from('PING\r\n')]);
    for (let at = 1; at < request.length; ++at) {
      const replies = await exchange(server.port, [request.subarray(0, at), request.subarray(at)]);
      expect(replies.toString(), `cut at ${at}`).toBe('$8\r\none\r\ntwo\r\n+PONG\r\n');
    }
  });
});
