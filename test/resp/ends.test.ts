// How a serving process ends: whenever and wherever it does, under load, it ends as asked, and lets its port go.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const LOAD_CLIENTS = 20;
const REQUESTS = Buffer.from(
  Array.from({ length: 100 }, (_, i) => `SET key:${i} ${'v'.repeat(i * 7)}\r\nGET key:${i}\r\nINCR n\r\n`).join(''),
);

/** A client that keeps the server busy until the connection breaks. */
function busy(port: number): Promise<number> {
  return new Promise((resolve) => {
    let received = 0;
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(REQUESTS));
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (socket.writableLength === 0) socket.write(REQUESTS);
    });
    socket.on('error', () => {}).on('close', () => resolve(received));
  });
}

async function serveAndEnd(where: string, how: string) {
  const child = spawn(process.execPath, [path.join(__dirname, '../fixtures/serving.mjs'), where, how], {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const first = await Promise.race([once(child.stdout, 'data'), ended]);
  const port = Number(String(first[0]));
  expect(port, stderr).toBeGreaterThan(0);
  const clients = Array.from({ length: LOAD_CLIENTS }, () => busy(port));
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.stdin.write('end\n');
  const [code, signal] = await ended;
  const received = await Promise.all(clients);
  return { code, signal, stderr, served: received.every((bytes) => bytes > 0), again: await connects(port) };
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

describe.each([
  ['main', 'exit', 0],
  ['main', 'throw', 1],
  ['main', 'close', 0],
  ['main', 'cache', 0],
  ['main', 'unref', 0],
  ['worker', 'exit', 0],
  ['worker', 'throw', 1],
  ['worker', 'terminate', 0],
  ['worker', 'close', 0],
] as const)('a server of the %s thread under load that ends by %s', (where, how, expected) => {
  test('ends the process as asked, and leaves its port', async () => {
    const { code, signal, stderr, served, again } = await serveAndEnd(where, how);
    expect({ code, signal }, stderr).toEqual({ code: expected, signal: null });
    expect(stderr).toContain(how === 'throw' ? 'thrown on purpose' : '');
    expect({ served, again }).toEqual({ served: true, again: false });
  });
});
