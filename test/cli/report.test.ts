// `zerohop report`: what caches saved, from the ledgers that processes kept.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PUBLIC, utf8 } from 'zerohop';
import { ledgerOf } from 'zerohop/report';
import { typed, zerohop } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';
import { openCache } from '../fixtures/opened.js';

async function ledger(name: string): Promise<string> {
  const cache = openCache();
  const run = async (texts: string[]) => {
    await new Promise((done) => setTimeout(done, 5));
    return texts.map((text) => text.toUpperCase());
  };
  const model = cache.model({ name, version: '1', scope: PUBLIC, codec: utf8, run });
  for (let i = 0; i < 10; ++i) await model.predict('a');
  return JSON.stringify(ledgerOf(cache));
}

test('ledgers of several processes are added up, and priced by the machine or by the hour', async () => {
  const folder = ownFolder();
  const files = ['one', 'two'].map((name) => path.join(folder, `${name}.json`));
  writeFileSync(files[0]!, await ledger('tagger'));
  writeFileSync(files[1]!, await ledger('evil\x1b[2J'));

  const { code, stdout } = await typed(['report', ...files, '--instance', 'aws g5.xlarge']);
  expect(code).toBe(0);
  expect(stdout).toContain('tagger 1: 9 hits that avoided a run, of 10 inputs');
  expect(stdout).toContain('evil\\u{1b}[2J 1: 9 hits');
  expect(stdout).toMatch(/All models: at least 0\.\d+ s saved, 0\.\d+ USD\./);

  const { models, total } = JSON.parse((await typed(['report', files[0]!, '--price', '3600', '--json'])).stdout);
  expect(models[0].usd.saved[0]).toBeCloseTo(models[0].seconds.saved[0], 9);
  expect(total.unpricedModels).toBe(0);

  const piped = await zerohop(['report', '-', '--since', '2999-01-01'], { input: Buffer.from(await ledger('late')) });
  expect(piped).toMatchObject({ code: 0, stdout: 'No model was asked.\n' });
});

test('what is wrong with the command line or a file is said', async () => {
  const file = path.join(ownFolder(), 'ledger.json');
  writeFileSync(file, '{ "models": 7');
  expect(await typed(['report', file])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('expected JSON of a ledger'),
  });
  writeFileSync(file, '{ "models": 7 }');
  expect(await typed(['report', file])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('ledger.json: expected a ledger, as ledgerOf gives: '),
  });
  writeFileSync(file, await ledger('tagger'));
  for (const [words, told] of [
    [['--price', 'much'], '--price: expected US dollars an hour'],
    [['--price', '1', '--instance', 'aws g5.xlarge'], 'expected one of them'],
    [['--instance', 'a toaster'], 'a toaster'],
    [['--since', 'soon'], 'since'],
  ] as const)
    expect(await typed(['report', file, ...words])).toMatchObject({ code: 2, stderr: expect.stringContaining(told) });
});
