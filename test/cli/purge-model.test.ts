// `zerohop purge --model`: what a model stored, and nothing else, over a server that its process runs.
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Cache, PUBLIC, utf8 } from 'zerohop';
import { typed } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';
import { startZerohop, type ZerohopServer } from '../fixtures/redis-servers.js';

let server: ZerohopServer;
let cache: Cache;
beforeAll(async () => {
  server = await startZerohop();
  ({ cache } = server);
});
afterAll(() => server?.stop());
beforeEach(() => cache.clear());

const purge = (model: string, ...more: string[]) =>
  typed(['purge', '--model', model, ...more], { ZEROHOP_URL: `redis://127.0.0.1:${server.port}` });

type Asked = { name: string; version: string; scope?: string | typeof PUBLIC; params?: object };

const modelOf = ({ scope = PUBLIC, ...asked }: Asked) =>
  cache.model({ ...asked, scope, codec: utf8, run: async (texts: string[]) => texts.map((text) => `${text}!`) });

/** Computes two results, and gives what tells how many of them are there. */
async function filled(asked: Asked): Promise<() => number> {
  const model = modelOf(asked);
  await model.predictMany(['a', 'b']);
  return () => ['a', 'b'].filter((text) => model.peek(text) !== undefined).length;
}

test('a model goes with all versions, tenants and parameters; its version goes alone', async () => {
  const own = [
    await filled({ name: 'encoder', version: '1' }),
    await filled({ name: 'encoder', version: '2' }),
    await filled({ name: 'encoder', version: '2', scope: 'a "tenant"' }),
    await filled({ name: 'encoder', version: '2', params: { top: 3 } }),
  ];
  const others = [
    await filled({ name: 'encoder2', version: '1' }),
    await filled({ name: 'encode', version: 'r' }),
    await filled({ name: 'other', version: 'encoder' }),
  ];
  const left = () => own.map((count) => count());
  cache.set('model ["encoder","1",', Buffer.from('a key that is called so'));
  expect(await purge('encoder@1')).toMatchObject({ code: 0, stdout: '2\n', stderr: '' });
  expect(left()).toEqual([0, 2, 2, 2]);
  expect((await purge('encoder@3')).stdout).toBe('0\n');
  expect(JSON.parse((await purge('encoder', '--json')).stdout)).toEqual({ deleted: 6 });
  expect(left()).toEqual([0, 0, 0, 0]);
  expect(others.map((count) => count())).toEqual([2, 2, 2]);
  expect(cache.has('model ["encoder","1",')).toBe(true);
});

test('names may have whatever JSON escapes, and an @', async () => {
  const names = ['"', '\\', '\n\r\t\b\f\u000b\u0001\u007f', 'ü\u2028😀', '","', '@cf/baai/bge'];
  for (const name of names) {
    const [own, scoped, other] = [
      await filled({ name, version: '"1"' }),
      await filled({ name, version: '"1"', scope: name }),
      await filled({ name: `${name}"`, version: '"1"' }),
    ];
    expect((await purge(`${name}@"1"`)).stdout, JSON.stringify(name)).toBe('4\n');
    expect([own(), scoped(), other()]).toEqual([0, 0, 2]);
    cache.clear();
  }
  const [own, other] = [await filled({ name: 'a@b', version: '1' }), await filled({ name: 'a', version: 'b' })];
  expect((await purge('a@b@')).stdout).toBe('2\n');
  expect([own(), other()]).toEqual([0, 2]);
});

test('what is being computed meanwhile reaches its callers, and is not stored', async () => {
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let runs = 0;
  const run = async (texts: string[]) => {
    const run = ++runs;
    if (run === 1) await finished;
    return texts.map((text) => `${text} ${run}`);
  };
  const model = cache.model({ name: 'slow', version: '1', scope: PUBLIC, codec: utf8, run });
  const before = model.predict('a');
  expect((await purge('slow')).stdout).toBe('0\n');
  expect(await model.predict('a')).toBe('a 2'); // and did not join the one from before
  finish();
  expect(await before).toBe('a 1');
  expect(model.peek('a')).toBe('a 2');
});

test('the socket of a running program is as good as a server', async () => {
  const socket = path.join(ownFolder(), 'socket');
  const admin = cache.admin({ path: socket });
  try {
    const left = await filled({ name: 'encoder', version: '1', scope: 'a "tenant"' });
    expect((await typed(['purge', '--model', 'encoder', '--url', `unix:${socket}`])).stdout).toBe('2\n');
    expect(left()).toBe(0);
  } finally {
    await admin.close();
  }
});

test('the command line says what it takes', async () => {
  for (const words of [['--model', ''], ['--model', 'a', '--tag', 'b'], []])
    expect((await typed(['purge', ...words])).code, words.join(' ')).toBe(2);
});
