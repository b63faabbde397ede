// `zerohop serve`, as a user types it.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createClient } from 'redis';
import { afterEach, describe, expect, test } from 'vitest';
import { served, typed } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';

const children: ChildProcess[] = [];

async function started(args: string[], env: NodeJS.ProcessEnv = {}) {
  const running = await served(args, { env });
  children.push(running.child);
  return running;
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

test('it says where it serves, serves, and ends with the signal once clients have their replies', async () => {
  const { child, url, printed } = await started(['--memory-limit', '16MB', '--threads', '2']);
  const client = await createClient({ url }).connect();
  await client.set('key', 'value');
  const ended = once(child, 'exit');
  const pending = Promise.all(Array.from({ length: 1000 }, () => client.get('key')));
  await client.ping();
  child.kill('SIGTERM');
  expect(new Set(await pending)).toEqual(new Set(['value']));
  client.destroy();
  expect(await ended).toEqual([0, null]);
  expect(printed()).toContain('SIGTERM');
});

test('a reader of its first line that leaves does not end it', async () => {
  const { child, url } = await started(['--memory-limit', '16MB']);
  child.stdout!.destroy();
  const client = await createClient({ url }).connect();
  const ended = once(child, 'exit');
  const pending = Promise.all(Array.from({ length: 1000 }, () => client.get('key')));
  await client.ping();
  child.kill('SIGTERM');
  expect(new Set(await pending)).toEqual(new Set([null]));
  client.destroy();
  expect(await ended).toEqual([0, null]);
});

test('a password comes from a file or the environment, and is not printed', async () => {
  const file = path.join(ownFolder(), 'password');
  writeFileSync(file, 's3cret\n');
  for (const { url, printed } of [
    await started(['--password-file', file]),
    await started([], { ZEROHOP_PASSWORD: 's3cret' }),
  ]) {
    const client = await createClient({ url, password: 's3cret' }).connect();
    expect(await client.ping()).toBe('PONG');
    client.destroy();
    const stranger = createClient({ url, socket: { reconnectStrategy: false } }).on('error', () => {});
    await expect(stranger.connect()).rejects.toThrow(/NOAUTH/);
    expect(printed()).not.toContain('s3cret');
  }
});

test('a unix socket and users come from the command line', async () => {
  const folder = ownFolder();
  const users = path.join(folder, 'users');
  writeFileSync(users, '# who may read\n\nreader on nopass ~* +get +ping +hello +client\n');
  const socket = path.join(folder, 'zerohop.sock');
  await started(['--socket', socket, '--user-file', users]);
  const client = await createClient({
    username: 'reader',
    password: 'any',
    socket: { path: socket, tls: false },
  }).connect();
  expect(await client.get('key')).toBe(null);
  await expect(client.set('key', 'value')).rejects.toThrow(/NOPERM/);
  client.destroy();
});

describe('a wrong command line ends with 2, and what fails with 1', () => {
  test.each([
    [2, ['nonsense']],
    [2, ['serve', '--nonsense']],
    [2, ['serve', '--port', 'high']],
    [2, ['serve', '--threads', '0']],
    [2, ['serve', '--host', 'a b']],
    [2, ['serve', '--memory-limit', '4 potatoes']],
    [1, ['serve', '--port', 'none', '--socket', '/nonexistent/zerohop.sock']],
    [1, ['serve', '--port', '0', '--password-file', '/nonexistent/password']],
  ])('%i: %j', async (expected, args) => {
    const { code, stderr } = await typed(args);
    expect(code, stderr).toBe(expected);
    expect(stderr).not.toBe('');
    expect(stderr).not.toContain('    at ');
  });
});
