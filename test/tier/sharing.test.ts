// Real processes that share the results of a model.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { ModelStats } from 'zerohop';
import { until } from '../fixtures/opened.js';
import { useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
beforeEach(async () => {
  await redis.other.flushAll();
});

/** For a process to start and to do one thing, on a machine that does much else. */
const PROCESS_S = 100;
vi.setConfig({ testTimeout: 300_000 });

interface Said {
  ran?: string[];
  results?: number[][];
  removed?: boolean;
  has?: boolean;
  stats?: ModelStats;
}

/** A process of its own, killed after the test. */
class Service {
  readonly said: Said[] = [];
  readonly child: ChildProcess;

  constructor(mode: 'at once' | 'waits' = 'at once', version = '1') {
    const file = path.join(__dirname, '../fixtures/sharing-model.mjs');
    this.child = spawn(process.execPath, [file, redis.url, mode, version], { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n');
      text = lines.pop()!;
      for (const line of lines) this.said.push(JSON.parse(line));
    });
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  tell(what: object | string): void {
    this.child.stdin!.write(`${JSON.stringify(what)}\n`);
  }

  get ran(): string[][] {
    return this.said.flatMap(({ ran }) => (ran === undefined ? [] : [ran]));
  }

  /** The next of what it says about this. */
  async next<Name extends keyof Said>(name: Name): Promise<NonNullable<Said[Name]>> {
    const find = () => this.said.findIndex((one) => one[name] !== undefined);
    await until(() => find() >= 0, PROCESS_S);
    const [said] = this.said.splice(find(), 1);
    return said![name]!;
  }

  async predict(...inputs: string[]): Promise<number[][]> {
    this.tell({ predict: inputs });
    return this.next('results');
  }

  async stats(): Promise<ModelStats> {
    this.tell({ ask: 'nothing' });
    return this.next('stats');
  }

  /** Waits until Redis has so many of its results. */
  async wrote(count: number): Promise<void> {
    while ((await this.stats()).upstream!.writes < count);
  }
}

test('a second process gets the results of the first without a run, and one of another version runs', async () => {
  const [first, second, next] = [new Service(), new Service(), new Service('at once', '2')];
  const results = await first.predict('a', 'bb');
  await first.wrote(2);
  expect(await second.predict('bb', 'a')).toEqual([results[1], results[0]]);
  expect(second.ran).toEqual([]);
  expect(await second.stats()).toMatchObject({ upstreamHits: 2, computed: 0, runMs: 0 });
  await next.predict('a');
  expect(next.ran).toEqual([['a']]);
});

test('a batch of which some results are here, some in Redis and some nowhere runs what is nowhere', async () => {
  const [first, second] = [new Service(), new Service()];
  await first.predict('shared 1', 'shared 2');
  await first.wrote(2);
  await second.predict('here');
  await second.wrote(1);
  await second.predict('new 1', 'shared 2', 'here', 'new 2', 'shared 1');
  expect(second.ran).toEqual([['here'], ['new 1', 'new 2']]);
});

test('of two processes that miss an input at a time one runs it', async () => {
  const [first, second] = [new Service('waits'), new Service('waits')];
  first.tell({ predict: ['a'] });
  await until(() => first.ran.length === 1, PROCESS_S);
  second.tell({ predict: ['a'] });
  while ((await second.stats()).upstream!.waited === 0);
  first.tell('finish');
  expect(await second.next('results')).toEqual(await first.next('results'));
  expect(second.ran).toEqual([]);
  await redis.told();
  expect(await redis.other.keys('zerohop:lease:*')).toEqual([]);
});

test('a process that is killed in its run is followed by another one', async () => {
  const [first, second] = [new Service('waits'), new Service('waits')];
  first.tell({ predict: ['a'] });
  await until(() => first.ran.length === 1, PROCESS_S);
  second.tell({ predict: ['a'] });
  while ((await second.stats()).upstream!.waited === 0);
  first.child.kill('SIGKILL');
  await until(() => second.ran.length === 1, PROCESS_S);
  second.tell('finish');
  expect(await second.next('results')).toHaveLength(1);
});

test('a process that was stopped in its run, and comes back late, stores nothing over a newer result', async () => {
  const [first, second] = [new Service('waits'), new Service('waits')];
  first.tell({ predict: ['a'] });
  await until(() => first.ran.length === 1, PROCESS_S);
  first.child.kill('SIGSTOP');
  second.tell({ predict: ['a'] });
  await until(() => second.ran.length === 1, PROCESS_S);
  second.tell('finish');
  const [newer] = await second.next('results');
  await second.wrote(1);
  first.tell('finish');
  first.child.kill('SIGCONT');
  const [late] = await first.next('results'); // for who asked for it
  expect(late).not.toEqual(newer);
  while ((await first.stats()).upstream!.fenced === 0);
  expect(await first.predict('a')).toEqual([newer]);
});

test('a result that one process deletes is forgotten by the others', async () => {
  const [first, second] = [new Service(), new Service()];
  const results = await first.predict('a');
  await first.wrote(1);
  expect(await second.predict('a')).toEqual(results);
  first.tell({ remove: 'a' });
  await first.next('removed');
  for (let has = true; has; ) {
    second.tell({ ask: 'a' });
    has = await second.next('has');
  }
  expect(await second.predict('a')).not.toEqual(results);
  expect(second.ran).toEqual([['a']]);
});
