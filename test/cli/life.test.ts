// A server from its start to its end: the first steps of docs/CLI.md, in the background, under systemd.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isServer } from '../../dist/cli/pid-file.js';
import { served, zerohop } from '../fixtures/command-line.js';
import { alike, firstSteps, linesOf, onAnyPort } from '../fixtures/first-steps.js';
import { ownFolder } from '../fixtures/folder.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0))
    try {
      process.kill(Number(readFileSync(path.join(folder, 'zerohop.pid'), 'utf8')), 'SIGKILL');
    } catch {} // it ended
});

function project(): string {
  const folder = ownFolder();
  folders.push(folder);
  return folder;
}

test('the first steps of the documentation work as they are written', async () => {
  const cwd = project();
  let env: NodeJS.ProcessEnv = {};
  const steps = firstSteps().filter(({ words }) => words[0] === 'zerohop');
  expect(steps.map(({ words }) => words[1])).toEqual(['init', 'start', 'set', 'get', 'status', 'stop']);
  for (const { words, prints } of steps) {
    const { code, stdout, stderr } = await zerohop(words.slice(1), { cwd, env });
    expect({ code, stderr }, words.join(' ')).toEqual({ code: 0, stderr: '' });
    expect(alike(linesOf(stdout)), words.join(' ')).toEqual(alike(prints));
    if (words[1] === 'init') onAnyPort(cwd);
    if (words[1] === 'start') env = { ZEROHOP_URL: /redis:\S+/.exec(stdout)![0] };
  }
  expect(existsSync(path.join(cwd, 'zerohop.pid'))).toBe(false);
});

test('a second server with the same pid file does not start, and one that was killed is no obstacle', async () => {
  const cwd = project();
  const start = ['start', '--port', '0', '--host', '127.0.0.1', '--memory-limit', '16MB', '--daemon'];
  expect(await zerohop(start, { cwd })).toMatchObject({ code: 0 });
  const pid = Number(readFileSync(path.join(cwd, 'zerohop.pid'), 'utf8'));
  const second = await zerohop(start, { cwd });
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining(`process number ${pid}`) });
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => isServer(pid)).toBe(false);
  expect(await zerohop(['stop'], { cwd })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no server runs'),
  });
  expect(await zerohop(start, { cwd })).toMatchObject({ code: 0 });
  expect(await zerohop(['stop', '--json'], { cwd })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('true'),
  });
  const failed = await zerohop(['start', '--port', '99999', '--daemon'], { cwd });
  expect(failed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('options.port') });
});

test('systemd is told when the server serves and when it ends; stop finds the server by its URL', async () => {
  const folder = ownFolder();
  const tool = path.join(folder, 'systemd-notify');
  const told = path.join(folder, 'told');
  writeFileSync(tool, `#!/bin/sh\necho "$@" >> ${told}\n`);
  chmodSync(tool, 0o755);
  const env = { NOTIFY_SOCKET: '/run/systemd/notify', PATH: `${folder}:${process.env['PATH']}` };
  const { child, url } = await served(['--memory-limit', '16MB'], { env, cwd: folder });
  await expect.poll(() => existsSync(told) && readFileSync(told, 'utf8')).toBe(`--ready --status=serves ${url}\n`);
  expect(await zerohop(['stop', '--url', url], { cwd: folder })).toMatchObject({ code: 0 });
  expect(child.exitCode).toBe(0);
  expect(readFileSync(told, 'utf8')).toContain('\nSTOPPING=1\n');
});
