// Every program of the README, the guides and the documents compiles as TypeScript, as strict as it can be, also for
// those who compile for ES2020.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { diagnosticsOf, root } from '../fixtures/compiler.js';
import { programs } from '../fixtures/documents.js';

const snippets = new Map(
  programs().map(({ name, text }) => [join(root, 'build/documents', `${name.replace(/\W+/g, '-')}.mts`), text]),
);

test('a program is in the README, and in every guide that shows how', () => {
  const files = [...snippets.keys()].join();
  for (const guide of ['README', 'adapters', 'embedding-lookups', 'memoised-inference', 'tuning', 'workers', 'WEIGHTS'])
    expect(files).toContain(guide);
});

test('the programs of all documents compile with --strict', { timeout: 120_000 }, () => {
  expect(diagnosticsOf(snippets, { target: ts.ScriptTarget.ES2022, skipLibCheck: true })).toEqual([]);
});

test('the types of every entry compile for ES2020, those of the library too', { timeout: 120_000 }, () => {
  const entries = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.d.mts') && !/ai-sdk|langchain|transformers|keyv|otel|prom-client/.test(file),
  );
  expect(entries.length).toBeGreaterThan(3);
  const text = entries.map((file) => `export * from '../../dist/${file.replace('.d.mts', '.mjs')}';`).join('\n');
  const all = new Map([[join(root, 'build/documents/entries.mts'), text]]);
  const found = diagnosticsOf(all, { target: ts.ScriptTarget.ES2020, skipLibCheck: false });
  expect(found.filter((one) => one.startsWith('dist/'))).toEqual([]);
});
