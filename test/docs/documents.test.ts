// What README, guides and examples show is run: programs print what their comments say, commands exist, links lead
// somewhere, and the figures are those of the raw files.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { RECORDED, rangesTable } from '../../bench/harness/ranges.mjs';
import type { Report } from '../../bench/harness/report.mjs';
import { allCommands } from '../../dist/cli/commands.js';
import { glibc } from '../fixtures/child.js';
import { blocks, documents, filesOf, programs, read } from '../fixtures/documents.js';

const root = join(__dirname, '..', '..');
const run = promisify(execFile);
/** The comments behind the calls of `console.log`: what they print, and after a colon why. */
const claims = (text: string) => [...text.matchAll(/^\s*console\.log\(.*\);? \/\/ (.+)$/gm)].map((match) => match[1]!);

describe('a program', () => {
  const all = programs().map(({ name, text }) => [name, text] as const);
  const needsOnnxruntime = (text: string) => text.includes("from '@huggingface/transformers'");

  test('is in the README, and in every guide that shows how', () => {
    expect(all.filter(([name]) => name.startsWith('README.md'))).toHaveLength(1);
    expect(all.length).toBeGreaterThan(7);
  });

  test.each(all.filter(([, text]) => glibc || !needsOnnxruntime(text)))(
    'of %s prints what it says',
    async (name, text) => {
      // Below the root: it imports zerohop by its name.
      const folder = join(root, 'build/documents');
      mkdirSync(folder, { recursive: true });
      const file = join(folder, `${name.replace(/\W+/g, '-')}-${process.version}.mjs`);
      const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
      writeFileSync(file, ts.transpileModule(text, { compilerOptions: options }).outputText);
      const printed = (await run(process.execPath, [file], { cwd: root })).stdout.trimEnd().split('\n');
      const claimed = claims(text);
      expect(claimed.length).toBeGreaterThan(0);
      expect(printed.map((line, i) => (claimed[i]?.startsWith(`${line}:`) ? claimed[i] : line))).toEqual(claimed);
    },
  );
});

describe('a command', () => {
  const commands = [...blocks('sh').flatMap(({ text }) => text.split('\n')), ...inTables()]
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '');

  /** Commands in backticks. */
  function inTables(): string[] {
    return documents.flatMap((file) =>
      [...read(file).matchAll(/`((?:npm|node|npx) [^`]+)`/g)].map((match) => match[1]!),
    );
  }

  test.each([...new Set(commands)])('%s is one', async (command) => {
    const { scripts, exports: packageExports } = JSON.parse(read('package.json'));
    for (const one of command.split('&&').map((part) => part.trim())) {
      const script =
        /^npm (?:run )?(start|test)(?![\w:-])/.exec(one)?.[1] ?? /^npm run (?:-s )?([\w:-]+)/.exec(one)?.[1];
      if (script !== undefined) expect(Object.keys(scripts)).toContain(script);
      else if (one.startsWith('node --import zerohop/'))
        expect(Object.keys(packageExports)).toContain(`./${/zerohop\/(\S+)/.exec(one)![1]}`);
      else if (one.startsWith('node ')) expect(existsSync(join(root, one.split(' ')[1]!)), one).toBe(true);
      else if (/^(npx )?zerohop /.test(one)) {
        const [name, ...options] = one.replace('npx ', '').split(' ').slice(1);
        if (name === 'help') continue; // commander's own
        const found = (await allCommands()).find((each) => [each.name(), ...each.aliases()].includes(name!));
        expect(found, name).toBeDefined();
        for (const option of options.filter((text) => text.startsWith('--')))
          expect(found!.helpInformation()).toContain(option);
      } else if (!one.startsWith('redis-cli '))
        expect(one).toMatch(/^npm (ci|install|pack)\b|^npx vitepress preview docs|^npm install/);
      const suite = /^npm run bench -- ([a-z]\S*)/.exec(one)?.[1];
      if (suite !== undefined && suite !== 'all') expect(read('bench/suites.mts')).toContain(`name: '${suite}'`);
    }
  });
});

describe('a workflow', () => {
  interface Step {
    run?: string;
  }
  const workflows = filesOf('.github/workflows').map((file) => [file] as const);

  test.each(workflows)('%s runs scripts that there are', (file) => {
    const { jobs } = parse(read(file)) as { jobs: Record<string, { steps: Step[] }> };
    const { scripts } = JSON.parse(read('package.json'));
    const commands = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run: text }) => text ?? []));
    const named = [...commands.join('\n').matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1]!);
    expect(named.length).toBeGreaterThan(0);
    for (const script of named) expect(Object.keys(scripts)).toContain(script);
  });

  test.each(workflows)('%s pins each action by commit, and each image by digest', (file) => {
    const actions = [...read(file).matchAll(/uses: (\S+)/g)].map((match) => match[1]!);
    const images = [...read(file).matchAll(/(?:container|image|IMAGE): (node\S+)/g)].map((match) => match[1]!);
    expect(actions.length).toBeGreaterThan(0);
    expect(images.length).toBeGreaterThan(0);
    for (const action of actions) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
    for (const image of images) expect(image).toMatch(/^[\w-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
  });

  test('that publishes uploads the addon before any test runs beside it', () => {
    const { jobs } = parse(read('.github/workflows/release.yml')) as {
      jobs: Record<string, { steps: (Step & { uses?: string })[] }>;
    };
    const steps = jobs['addon']!.steps;
    const upload = steps.findIndex(({ uses }) => uses?.startsWith('actions/upload-artifact@'));
    const test = steps.findIndex(({ run: text }) => text?.includes('test:js'));
    expect(upload).toBeGreaterThan(-1);
    expect(test).toBeGreaterThan(upload);
  });
});

describe('a link', () => {
  const links = [...documents, ...filesOf('bench/results').filter((file) => file.endsWith('.md'))].flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g)].map((match) => [file, match[1]!] as const),
  );

  test.each(links)('from %s to %s leads somewhere', (file, target) => {
    // From the site's root; its pictures are copied there when it is built.
    const place = target.startsWith('/') ? join(root, 'docs', target) : join(root, dirname(file), target);
    if (target.endsWith('.svg') && target.startsWith('/'))
      return expect(existsSync(join(root, 'docs/pictures', target))).toBe(true);
    expect([place, `${place}.md`].some((one) => existsSync(one))).toBe(true);
  });
});

describe('a promise of SECURITY.md', () => {
  const named = [...new Set([...read('docs/SECURITY.md').matchAll(/`(test\/[^`]+)`/g)].map((match) => match[1]!))];

  test.each(named)('is held by %s', (file) => {
    expect(existsSync(join(root, file))).toBe(true);
  });
});

describe('the figures of the README', () => {
  const text = read('README.md');

  test('give the range of the recorded runs, by kind of machine', () => {
    const reports = RECORDED.map((file) => JSON.parse(read(`bench/results/${file}`)) as Report);
    const drawn = /<!-- ranges: begin -->\n(.*)\n<!-- ranges: end -->/s.exec(text)?.[1]?.split('\n');
    expect(drawn).toEqual(rangesTable(reports));
  });

  test('were recorded on the machines that it names', () => {
    const kinds = new Set(RECORDED.map((file) => (JSON.parse(read(`bench/results/${file}`)) as Report).machine.cpu));
    const named = /recorded on shared cores of an ([^.]+)\./.exec(text)?.[1]?.split(' and of an ');
    expect(named?.sort()).toEqual([...kinds].sort());
  });

  test('are those of the raw file of the picture', () => {
    const { cases } = JSON.parse(read('bench/results/2026-11-21-engine-start-node20.json')) as {
      cases: { name: string; median: number }[];
    };
    const measured = (name: string) => cases.find((one) => one.name === name)!.median;
    const rows = [
      ...text.matchAll(/^\| (zerohop|lru-cache|lmdb|Redis)[^|]* \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|/gm),
    ];
    expect(rows).toHaveLength(4);
    for (const [, store, single, batch, hitRatio, pauses] of rows) {
      const name = store!.toLowerCase();
      const number = (cell: string) => Number(cell.replaceAll(' ', ''));
      expect(number(single!) / measured(`${name}/single-get`)).toBeCloseTo(1, 2);
      expect(number(batch!) / measured(`${name}/batch-1000`)).toBeCloseTo(1, 2);
      expect(number(pauses!) / measured(`${name}/replay-gc-pauses`)).toBeCloseTo(1, 1);
      expect(number(hitRatio!)).toBeCloseTo(measured(`${name}/replay-hit-ratio`), 3);
    }
  });
});
