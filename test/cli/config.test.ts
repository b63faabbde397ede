// zerohop.config.json: what init writes, what serve makes of it, and what it says of one that is wrong.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PROPERTIES, readConfigFile } from '../../dist/cli/config-file.js';
import { serveCommand } from '../../dist/cli/serve.js';
import { serveOptionsOf, settingsOf } from '../../dist/cli/settings.js';
import { serveOptions } from '../../dist/resp/options.js';
import { typed } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';

function written(text: string): string {
  const file = path.join(ownFolder(), 'zerohop.config.json');
  writeFileSync(file, text);
  return file;
}

/** What serve is told by these words. */
function settings(...words: string[]) {
  const command = serveCommand();
  command.parseOptions(words);
  return settingsOf(command);
}

test('what init writes tells every setting, and sets those that it was told', async () => {
  const file = path.join(ownFolder(), 'zerohop.config.json');
  expect(await typed(['init', '--mode', 'inference', '--memory-limit', '4GB', '--config', file])).toMatchObject({
    code: 0,
  });
  expect(readConfigFile(file)).toEqual({ memoryLimit: '4GB', port: 6380 });
  const text = readFileSync(file, 'utf8');
  for (const name of Object.keys(PROPERTIES).filter((name) => name !== '$schema'))
    expect(text).toContain(`"${name}": `);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  // As a whole, without the marks of comments before settings, it is right too.
  writeFileSync(file, text.replace(/^ {2}\/\/ (?=")/gm, ''));
  expect(Object.keys(readConfigFile(file)).sort()).toEqual(
    Object.keys(PROPERTIES)
      .filter((name) => name !== '$schema')
      .sort(),
  );
});

test.each([
  ['inference', { port: 6380 }],
  ['embeddings', { port: 6380, socket: 'zerohop.sock' }],
  ['features', { port: 6380, socket: 'zerohop.sock', idleTimeout: '10m' }],
  ['weights', { port: 'none', socket: 'zerohop.sock', maxValue: '4GB', admission: true }],
])('init --mode %s writes settings that serve takes', async (mode, expected) => {
  const file = path.join(ownFolder(), 'zerohop.config.json');
  expect(await typed(['init', '--mode', mode, '--config', file])).toMatchObject({ code: 0 });
  const own = Object.entries(expected).map(([name, value]) => [
    name,
    name === 'socket' ? path.join(path.dirname(file), value as string) : value,
  ]);
  expect(readConfigFile(file)).toEqual(Object.fromEntries(own));
  const options = serveOptions(serveOptionsOf(settings('--config', file)));
  expect(options.settings).toMatchObject({
    tcp: mode !== 'weights',
    bulkBytes: mode === 'weights' ? 2 ** 32 : 2 ** 29,
  });
  for (const line of readFileSync(file, 'utf8').split('\n')) expect(line.length).toBeLessThanOrEqual(120);
});

test('init leaves a file that is there alone, unless it is told to write over it', async () => {
  const file = written('{}');
  expect(await typed(['init', '--config', file])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--force'),
  });
  expect(readFileSync(file, 'utf8')).toBe('{}');
  expect(await typed(['init', '--config', file, '--force', '--json'])).toMatchObject({ code: 0 });
  expect(readConfigFile(file)).toEqual({ port: 6380 });
  expect(await typed(['init', '--memory-limit', '4 potatoes', '--config', file])).toMatchObject({ code: 2 });
  expect(await typed(['init', '--mode', 'poetry', '--config', file])).toMatchObject({ code: 2 });
});

test('init in a project names the schema that the package brings', async () => {
  const folder = ownFolder();
  const schema = './node_modules/zerohop/dist/cli/zerohop.config.schema.json';
  mkdirSync(path.join(folder, path.dirname(schema)), { recursive: true });
  writeFileSync(path.join(folder, schema), '{}');
  const file = path.join(folder, 'zerohop.config.json');
  await typed(['init', '--config', file]);
  expect(readFileSync(file, 'utf8')).toContain(`"$schema": ${JSON.stringify(schema)}`);
  expect(readConfigFile(file)).toEqual({ port: 6380 });
});

test('every setting of the file is an option of serve, and the other way round', () => {
  const options = serveCommand().options.map((option) => option.attributeName());
  const settings = Object.keys(PROPERTIES).filter((name) => name !== '$schema');
  expect(options.filter((name) => name !== 'config' && name !== 'daemon').sort()).toEqual(settings.sort());
});

test('the command line wins over the file, and the file over defaults; its paths are relative to it', () => {
  const file = written('{ "port": 7000, "threads": 3, "ioUring": false, "pidFile": "run/z.pid" }');
  const told = settings('--config', file, '--threads', '1', '--socket', 'here.sock');
  expect(told).toMatchObject({ port: 7000, threads: '1', ioUring: false, protectedMode: true, socket: 'here.sock' });
  expect(told.pidFile).toBe(path.join(path.dirname(file), 'run/z.pid'));
  expect(settings('--config', file, '--port', '7001').port).toBe('7001');
  expect(settings('--config', written('{}')).port).toBe('6380');
});

test('comments and a last comma are allowed, and what looks like them in a text is text', () => {
  const file = written(
    '/* a\n "b" */ {\n// c, }\n"idleTimeout": "/x//y/*z*/,}\\"", // d\n"host": ["a",\n /* e */ ], }\n',
  );
  expect(readConfigFile(file)).toEqual({ idleTimeout: '/x//y/*z*/,}"', host: ['a'] });
  const between = written('{ "port": 1, // "host": ["a"],\n /* } */ "threads": 2, /* ] */ }');
  expect(readConfigFile(between)).toEqual({ port: 1, threads: 2 });
});

test.each([
  ['{ "prot": 6380 }', '"prot" is no setting'],
  ['{ "__proto__": 1 }', '"__proto__" is no setting'],
  ['{ "port": 1.5 }', 'port: expected integer or string'],
  ['{ "ioUring": "yes" }', 'ioUring: expected boolean'],
  ['{ "host": [1] }', 'host: expected array or string'],
  ['{ "port": null }', 'port: expected'],
  ['[]', 'expected an object'],
  ['', 'JSON'],
  ['{\n\n"port": 1 "threads": 2 }', 'zerohop.config.json'],
])('%j is refused, and what is wrong is said', async (text, said) => {
  const { code, stderr } = await typed(['serve', '--config', written(text)]);
  expect(code, stderr).toBe(2);
  expect(stderr).toContain(said);
});

test('a config file that was named and is not there is an error', async () => {
  expect(await typed(['serve', '--config', '/nonexistent/z.json'])).toMatchObject({ code: 1 });
});
