// The programs of examples/ do what they say, as processes of their own.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { glibc } from '../fixtures/child.js';

const folder = join(__dirname, '..', '..', 'examples');
const started: ChildProcess[] = [];

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
});

/** A port that nobody listens on just now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A service, once it says that it listens, and its port. */
async function service(file: string): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(folder, file), `${port}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  for await (const text of child.stdout!) {
    if (String(text).includes('listening')) return { child, port };
  }
  throw new Error(`${file} ended before it listened`);
}

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
}

const ask = (port: number, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    get({ port, path, agent: false }, async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) });
    }).on('error', reject);
  });

/** How it ends when it is asked to. */
async function stopped(child: ChildProcess): Promise<unknown> {
  child.kill('SIGTERM');
  const [code, signal] = await once(child, 'exit');
  return code ?? signal;
}

describe('the HTTP service', () => {
  test('computes once, in a worker, what the main thread then serves from the cache', async () => {
    const { child, port } = await service('http-service.mjs');
    const first = await Promise.all(['a', 'b', 'a', 'a', 'b'].map((text) => ask(port, `/embed/${text}`)));
    const [a, b] = first as [Answer, Answer];
    expect(first.map(({ body }) => body.length)).toEqual(new Array(5).fill(4096));
    expect(a.body.equals(b.body)).toBe(false);
    expect([first[2], first[3]].every((one) => one!.body.equals(a.body))).toBe(true);
    const again = await ask(port, '/embed/a');
    expect(again.headers['x-cache']).toBe('hit');
    expect(again.body.equals(a.body)).toBe(true);
    const { sets, entries } = JSON.parse((await ask(port, '/stats')).body.toString());
    expect({ sets, entries }).toEqual({ sets: 2, entries: 2 });
    expect((await ask(port, '/unknown')).status).toBe(404);
    expect(await stopped(child)).toBe(0);
  });
});

describe.skipIf(!glibc)('the ONNX batch', () => {
  test('is the same whether its rows were computed or gathered', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'onnx-batch.mjs')]);
    const { hits, same, classes } = JSON.parse(stdout);
    expect({ hits, same }).toEqual({ hits: [0, 100, 50], same: true });
    expect(classes).toBeGreaterThan(1);
  });
});

describe('the cluster', () => {
  test('answers a key from one process, whichever is asked', async () => {
    const { child, port } = await service('cluster-service.mjs');
    const keys = Array.from({ length: 40 }, (_, i) => `/score/${i}`);
    const first = await Promise.all(keys.map((key) => ask(port, key)));
    const again = await Promise.all(keys.map((key) => ask(port, key)));
    expect(first.map(({ headers }) => headers['x-cache'])).toEqual(keys.map(() => 'miss'));
    expect(again.map(({ headers }) => headers['x-cache'])).toEqual(keys.map(() => 'hit'));
    const servedBy = (answers: Answer[]) => answers.map(({ headers }) => headers['x-served-by']);
    expect(servedBy(again)).toEqual(servedBy(first));
    expect(new Set(servedBy(first)).size).toBeGreaterThan(1);
    expect(again.map(({ body }) => String(body))).toEqual(first.map(({ body }) => String(body)));
    const members = JSON.parse((await ask(port, '/stats')).body.toString()) as { entries: number; hits: number }[];
    expect(members.reduce((sum, { entries }) => sum + entries, 0)).toBe(40);
    expect(members.reduce((sum, { hits }) => sum + hits, 0)).toBe(40);
    expect(await stopped(child)).toBe(0);
  });
});
