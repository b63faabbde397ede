// The largest values that a client may send, in pieces as a network gives them, and out again.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Server, serve } from 'zerohop';
import { alike } from '../fixtures/child.js';
import { openCache } from '../fixtures/opened.js';

const MIB = 2 ** 20;
const PIECE = 64 * 1024;

/** Shifted by any number of bytes less than its own length, it is another. */
const PATTERN = Buffer.alloc(MIB - 7);
for (let i = 0, word = 1; i < PATTERN.length; ++i) {
  word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
  PATTERN[i] = word >>> 24;
}
const TWICE = Buffer.concat([PATTERN, PATTERN]);

/** The bytes of the value from `at` on: at most PIECE of them. */
const pieceAt = (at: number, length: number) => TWICE.subarray(at % PATTERN.length, (at % PATTERN.length) + length);

let server: Server | undefined;
let socket: Socket | undefined;

afterEach(async () => {
  socket?.destroy();
  await server?.close();
});

async function write(bytes: string | Uint8Array): Promise<void> {
  if (!socket!.write(bytes)) await once(socket!, 'drain');
}

/** Reads exactly `bytes`, and gives them to `take` as they come. */
async function read(bytes: number, take: (piece: Buffer, at: number) => void): Promise<void> {
  for (let at = 0; at < bytes; ) {
    const piece: Buffer | null = socket!.read(Math.min(PIECE, bytes - at)) ?? socket!.read();
    if (piece === null) {
      await once(socket!, 'readable');
      continue;
    }
    if (piece.length > bytes - at) socket!.unshift(piece.subarray(bytes - at));
    take(piece.subarray(0, bytes - at), at);
    at += Math.min(piece.length, bytes - at);
  }
}

async function line(bytes: number): Promise<string> {
  let text = '';
  await read(bytes, (piece) => {
    text += piece.toString('latin1');
  });
  return text;
}

test.each(alike([512, 24]))(
  'a value of %i MB comes in by pieces, and goes out whole',
  async (megabytes) => {
    const bytes = megabytes * MIB;
    const cache = openCache({ maxBytes: bytes * 2 + 128 * MIB });
    server = serve(cache, { port: 0, host: '127.0.0.1', threads: 1, maxBulkBytes: bytes });
    socket = connect(Number(new URL(server.addresses[0]!).port), '127.0.0.1');
    await once(socket, 'connect');
    await write(`*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$${bytes}\r\n`);
    for (let at = 0; at < bytes; at += PIECE) await write(pieceAt(at, PIECE));
    await write('\r\n');
    expect(await line(5)).toBe('+OK\r\n');
    const view = cache.get('large')!;
    expect(view.length).toBe(bytes);

    await write('*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n');
    const head = `$${bytes}\r\n`;
    expect(await line(head.length)).toBe(head);
    let wrong = 0;
    await read(bytes, (piece, at) => {
      for (let from = 0; from < piece.length; from += PIECE) {
        const part = piece.subarray(from, from + PIECE);
        if (!part.equals(pieceAt(at + from, part.length))) ++wrong;
      }
    });
    expect(wrong).toBe(0);
    expect(await line(2)).toBe('\r\n');

    // One byte more is not taken: the connection ends, and the value stays.
    await write(`*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$${bytes + 1}\r\n`);
    expect(await line(41)).toBe('-ERR Protocol error: invalid bulk length\r');
    expect(cache.get('large')!.length).toBe(bytes);
  },
  120_000,
);
