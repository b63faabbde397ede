// The primary that real Sentinels name behind a cache, through failovers.
import { createSentinel } from 'redis';
import { describe, expect, test } from 'vitest';
import { type Key, type OpenOptions, utf8 } from 'zerohop';
import { until } from '../fixtures/opened.js';
import { NAME, startGroup, startSentinelOf } from '../fixtures/redis-sentinel.js';
import { startRedis } from '../fixtures/redis-servers.js';
import { openOver } from '../fixtures/upstream.js';

const IMPATIENT = { timeout: 500, connectTimeout: 5000, heartbeat: 50 };

const texts = (upstream: OpenOptions['upstream'], loads = false) => {
  const loader = (keys: Key[]) => keys.map((key) => `made of ${String(key)}`);
  return openOver(upstream).keyspace('t', { codec: utf8, upstream: loads ? { loader } : true });
};

describe('behind Sentinels', () => {
  test('the primary is read and written, and another one when it is killed', async () => {
    const { primary, replica, nodes } = await startGroup();
    const space = texts({ sentinel: { name: NAME, nodes }, ...IMPATIENT }, true);
    await primary.client.set('t:a', 'before');
    expect(await space.load('a')).toBe('before');
    await space.setAsync('b', 'ours');
    expect(await primary.client.get('t:b')).toBe('ours');
    await until(async () => (await replica.client.get('t:b')) === 'ours');
    await primary.server.kill();
    await until(() => space.stats().upstream.state !== 'up');
    expect(space.peek('a')).toBeUndefined();
    expect(await space.load('a')).toBe('made of a');
    await until(() => space.stats().upstream.state === 'up', 30);
    expect(space.peek('a')).toBeUndefined(); // what was made meanwhile
    expect(await space.load('a')).toBe('before');
    expect(await space.load('b')).toBe('ours');
    await replica.client.set('t:a', 'after');
    await until(() => space.peek('a') === undefined);
    expect(await space.load('a')).toBe('after');
  }, 60_000);

  test('a primary that lives and is one no more is left', async () => {
    const { primary, replica, nodes, failOver } = await startGroup();
    const space = texts({ sentinel: { name: NAME, nodes }, ...IMPATIENT });
    await primary.client.set('t:a', 'before');
    expect(await space.load('a')).toBe('before');
    await until(async () => (await replica.client.get('t:a')) === 'before');
    await failOver();
    // Connections are ended more than once meanwhile.
    const within = (ask: () => Promise<boolean>) => until(() => ask().catch(() => false), 30);
    await within(async () => {
      await space.setAsync('a', 'ours');
      return (await replica.client.get('t:a')) === 'ours';
    });
    await within(async () => {
      await replica.client.set('t:a', 'theirs');
      return (await space.load('a')) === 'theirs' && space.peek('a') === 'theirs';
    });
    await within(async () => {
      await replica.client.set('t:a', 'later');
      return (await space.load('a')) === 'later';
    });
  }, 60_000);

  test('one that most of them name is the primary, whatever one of them says', async () => {
    const other = await startRedis();
    const { primary, nodes } = await startGroup(2);
    const odd = await startSentinelOf(other.port, 1);
    const space = texts({ sentinel: { name: NAME, nodes: [`redis://127.0.0.1:${odd.port}`, ...nodes] }, ...IMPATIENT });
    await space.setAsync('a', 'ours');
    expect(await primary.client.get('t:a')).toBe('ours');
    await new Promise((resolve) => setTimeout(resolve, 300)); // some heartbeats
    expect(space.stats().upstream).toMatchObject({ connects: 1, outages: 0 });
    await other.stop();
  }, 60_000);

  test('passwords of theirs and of the primary may differ', async () => {
    const passwords = { servers: 'of servers', sentinels: 'of-sentinels' };
    const { primary, nodes } = await startGroup(1, { ...passwords, servers: 'of-servers' });
    const space = texts({ sentinel: { name: NAME, nodes, password: 'of-servers' } });
    await space.setAsync('a', 'ours');
    expect(await primary.client.get('t:a')).toBe('ours');
  }, 60_000);

  test('a client of node-redis names them, and is not used itself', async () => {
    const { primary, sentinels } = await startGroup();
    const client = createSentinel({
      name: NAME,
      sentinelRootNodes: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      keyPrefix: 'app:',
    });
    const space = texts(client);
    await space.setAsync('a', 'ours');
    expect(await primary.client.get('app:t:a')).toBe('ours');
    expect(client.isOpen).toBe(false);
  }, 60_000);

  test('that are all away the primary is used as long as it answers', async () => {
    const { primary, sentinels, nodes } = await startGroup();
    const space = texts({ sentinel: { name: NAME, nodes }, ...IMPATIENT });
    await space.setAsync('a', 'ours');
    for (const sentinel of sentinels) await sentinel.kill();
    await new Promise((resolve) => setTimeout(resolve, 300)); // some heartbeats
    await primary.client.set('t:a', 'theirs');
    await until(() => space.peek('a') === undefined);
    expect(await space.load('a')).toBe('theirs');
    expect(space.stats().upstream).toMatchObject({ connects: 1, outages: 0 });
  }, 60_000);

  test('of which a client names none, loads go to the loader', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const space = texts(createSentinel({ name: NAME, sentinelRootNodes: [] }), true);
    expect(await space.load('a')).toBe('made of a');
    expect((await warned).message).toContain('there is no Sentinel that could name a primary');
  });

  test('a name that they do not know is told, and loads go to the loader', async () => {
    const { nodes } = await startGroup();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const space = texts({ sentinel: { name: 'another', nodes } }, true);
    expect(await space.load('a')).toBe('made of a');
    expect((await warned).message).toMatch(/no Sentinel names a primary another: it does not know that name/);
  }, 60_000);
});
