// A real Redis Cluster behind a cache: slots that move while keys are read and written, and nodes that are lost.
import { createServer } from 'node:net';
import { createCluster } from 'redis';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Key, type OpenOptions, utf8 } from 'zerohop';
import { slotOf } from '../../lib/tier/slots.js';
import { shouting } from '../fixtures/models.js';
import { anything, errorOf, nowMs, until } from '../fixtures/opened.js';
import { randomOf } from '../fixtures/random.js';
import { useCluster } from '../fixtures/redis-cluster.js';
import { openOver } from '../fixtures/upstream.js';

const redis = useCluster();
beforeEach(async () => {
  await redis.cluster.flush();
});

const KEYS = Array.from({ length: 300 }, (_, i) => `k${i}`);
const madeOf = (key: Key) => `made of ${String(key)}`;
const loader = (keys: Key[]) => keys.map(madeOf);

function texts(upstream: OpenOptions['upstream'] = { cluster: redis.cluster.urls.slice(0, 1) }, loads = false) {
  return openOver(upstream).keyspace('t', { codec: utf8, upstream: loads ? { loader } : true });
}

const stored = async (keys: readonly string[]) => {
  await Promise.all(keys.map((key) => redis.cluster.other.set(`t:${key}`, `value of ${key}`)));
  await redis.cluster.told();
};

describe('a cluster', () => {
  test('is read, whichever node has a key', async () => {
    await stored(KEYS);
    const space = texts();
    expect(await space.loadMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`));
    expect(space.getMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`));
  });

  test('is written', async () => {
    const space = texts();
    await Promise.all(KEYS.map((key) => space.setAsync(key, `ours ${key}`)));
    for (const key of KEYS) expect(await redis.cluster.other.get(`t:${key}`)).toBe(`ours ${key}`);
    await Promise.all(KEYS.map((key) => space.deleteAsync(key)));
    for (const key of KEYS) expect(await redis.cluster.other.get(`t:${key}`)).toBeNull();
  });

  test('tells of the changes of every node, and not of our own', async () => {
    const space = texts();
    await Promise.all(KEYS.map((key) => space.setAsync(key, 'ours')));
    await redis.cluster.told();
    expect(space.getMany(KEYS)).toEqual(KEYS.map(() => 'ours'));
    await stored(KEYS);
    expect(space.getMany(KEYS)).toEqual(KEYS.map(() => undefined));
  });

  test('tells of a flush of one node', async () => {
    await stored(KEYS);
    const space = texts();
    await space.loadMany(KEYS);
    await redis.cluster.nodes[1]!.client.flushAll();
    await redis.cluster.told();
    expect(space.getMany(KEYS).every((value) => value === undefined)).toBe(true);
  });

  test('is asked by one command a slot for a batch, and the loader once', async () => {
    const keys = ['a', 'b', 'c'].flatMap((tag) => [1, 2, 3].map((n) => `{${tag}}${n}`));
    await stored(keys.slice(0, 4));
    const asked: Key[][] = [];
    const cache = openOver({ cluster: redis.cluster.urls, heartbeat: '1m' });
    const space = cache.keyspace('t', {
      codec: utf8,
      upstream: {
        lease: false,
        loader: (some) => {
          asked.push(some);
          return some.map(madeOf);
        },
      },
    });
    await space.ready();
    const before = space.stats().upstream.commands;
    const values = await space.loadMany(keys);
    expect(values.slice(0, 5)).toEqual([...keys.slice(0, 4).map((key) => `value of ${key}`), madeOf(keys[4]!)]);
    expect(asked).toEqual([keys.slice(4)]);
    // Three slots are read, and five values are stored.
    expect(space.stats().upstream.commands - before).toBe(3 + 5);
  });

  test('lends leases: of two caches that miss the same keys, one asks its loader', async () => {
    const asked: Key[] = [];
    const slow = async (keys: Key[]) => {
      asked.push(...keys);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return keys.map(madeOf);
    };
    const spaces = [0, 1].map(() =>
      openOver({ cluster: redis.cluster.urls }).keyspace('t', { codec: utf8, upstream: { loader: slow } }),
    );
    const keys = [...KEYS.slice(0, 50), 'with {tag} in it', 'open { only'];
    const both = await Promise.all(spaces.map((space) => space.loadMany(keys)));
    for (const values of both) expect(values).toEqual(keys.map(madeOf));
    expect(asked.sort()).toEqual([...keys].sort());
    expect(await redis.cluster.keys('zerohop:lease:*')).toEqual([]);
  });

  test('may be named by a client of node-redis, which is not used itself', async () => {
    await stored(KEYS);
    const [url] = redis.cluster.urls;
    const client = createCluster({ rootNodes: [{ url: url! }], keyPrefix: 't:', defaults: { clientInfoTag: 'ours' } });
    const space = openOver(client).keyspace('none', { codec: utf8, upstream: { prefix: '' } });
    expect(await space.loadMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`));
    expect(client.isOpen).toBe(false);
  });

  test('whose nodes are reached by other addresses is found by the map of the client', async () => {
    await stored(KEYS);
    const asked: string[] = [];
    const client = createCluster({
      rootNodes: [{ url: redis.cluster.urls[0]! }],
      nodeAddressMap: (address) => {
        asked.push(address);
        return { host: 'localhost', port: Number(address.split(':')[1]) };
      },
    });
    expect(await texts(client).loadMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`));
    expect(asked.length).toBeGreaterThanOrEqual(3);
  });

  test('of which a URL names one node alone is told, with the option to set', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const space = texts(redis.cluster.urls[0]!, true);
    expect(await space.load('a')).toBe('made of a');
    expect((await warned).message).toContain('it is a node of a cluster: set upstream to { cluster: [');
  });

  test('may be the Redis of one keyspace, which may be opened again', async () => {
    await stored(['a']);
    const cache = openOver(undefined);
    const options = () => ({ codec: utf8, upstream: { cluster: [...redis.cluster.urls] } });
    expect(await cache.keyspace('t', options()).load('a')).toBe('value of a');
    expect(cache.keyspace('t', options()).get('a')).toBe('value of a');
  });

  test('is found though the first node that was named is away', async () => {
    await stored(KEYS);
    const space = texts({ cluster: ['redis://127.0.0.1:1', ...redis.cluster.urls.slice(1)] });
    expect(await space.loadMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`));
  });

  test('is found though the first node that was named says nothing, for longer than anybody waits', async () => {
    await stored(KEYS);
    const silent = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const space = texts({ cluster: [`redis://127.0.0.1:${port}`, ...redis.cluster.urls], connectTimeout: '10m' });
    expect(await space.loadMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`));
  });
});

test.each([
  [{ cluster: [] }, 'options.upstream.cluster: expected a list of URLs'],
  [{ cluster: 'redis://a' }, 'options.upstream.cluster: expected a list of URLs'],
  [{ cluster: ['redis://a:1', 'b'] }, 'options.upstream.cluster[1]: the server'],
  [{ cluster: ['redis://a:1/3'] }, 'options.upstream.cluster[0]: expected a URL with a host and without a database'],
  [{ cluster: ['unix:/a'] }, 'options.upstream.cluster[0]: expected a URL with a host and without a database'],
  [{ cluster: ['redis://a'], url: 'redis://a' }, 'options.upstream: expected one of url, client, cluster, sentinel'],
  [{ sentinel: 'redis://a' }, 'options.upstream.sentinel: expected an object'],
  [{ sentinel: { name: 'a' } }, 'options.upstream.sentinel.nodes: expected a list of URLs'],
  [{ sentinel: { nodes: ['redis://a'] } }, 'options.upstream.sentinel.name: expected'],
  [{ sentinel: { name: 'a', nodes: ['redis://a'], db: 1 } }, 'options.upstream.sentinel.db: expected one of'],
  [{ timeout: 100 }, 'options.upstream: expected an object with url or client or cluster or sentinel'],
])('%j is no upstream', (upstream, message) => {
  const error = errorOf(() => openOver(anything(upstream)));
  expect(error.message).toContain(message);
  expect(error.code).toMatch(/^ERR_INVALID_ARG/);
});

test.each([
  { cluster: 'redis://u:secret@h' },
  { client: 'redis://u:secret@h' },
  { url: ['redis://u:secret@h'] },
  { sentinel: 'redis://u:secret@h' },
  { sentinel: { name: 'a', nodes: 'redis://u:secret@h' } },
  { sentinel: { name: 'a', nodes: ['redis://h'], password: 123456 } },
  { sentinel: { name: 'a', nodes: ['redis://h'], password: 'secret'.repeat(20_000) } },
  { sentinel: { name: 'a', nodes: ['redis://h'], password: 'secret\ud800' } },
])('a message about what is no upstream does not have its password: %#', (upstream) => {
  const { message, code } = errorOf(() => openOver(anything(upstream)));
  expect(message).not.toMatch(/secret|123456/);
  expect(code).toBe('ERR_INVALID_ARG_TYPE');
});

test('the slot of a key is that of Redis', async () => {
  const random = randomOf(7);
  const byte = () => random.pick([0x7b, 0x7d, 0x61, random.below(256)]);
  const keys = Array.from({ length: 300 }, () => Buffer.from(Array.from({ length: random.below(12) }, byte)));
  for (const key of [...keys, 'a', 'ä{ö}', '{}a', 'a{b}{c}', 'a{{b}}', ''])
    expect(slotOf(key), key.toString()).toBe(await redis.cluster.slotOf(key));
});

describe('a slot', () => {
  const [key] = KEYS as [string];

  /** Keys of the same slot. */
  const ofSlot = (tag: string) => Array.from({ length: 8 }, (_, i) => `{${tag}}${i}`);

  test('that moves away and back leaves nothing old', async () => {
    const space = texts();
    const slot = await redis.cluster.slotOf(`t:${key}`);
    const home = await redis.cluster.ownerOf(slot);
    const away = redis.cluster.nodes.find((node) => node !== home)!;
    await stored([key]);
    expect(await space.load(key)).toBe(`value of ${key}`);
    await redis.cluster.move(slot, away);
    expect(await space.load(key)).toBe(`value of ${key}`);
    await redis.cluster.other.set(`t:${key}`, 'written away');
    await redis.cluster.told();
    expect(await space.load(key)).toBe('written away');
    await redis.cluster.move(slot, home);
    await redis.cluster.other.set(`t:${key}`, 'written at home');
    await redis.cluster.told();
    expect(await space.load(key)).toBe('written at home');
    expect(await space.load(key)).toBe('written at home');
    expect(space.stats().upstream).toMatchObject({ state: 'up', outages: 0, failed: 0 });
  });

  test('that is on its way is read and written: keys that are there, that are not yet, and that are nowhere', async () => {
    const keys = ofSlot('moving');
    const slot = await redis.cluster.slotOf('moving');
    const space = texts({ cluster: redis.cluster.urls }, true);
    await stored(keys.slice(0, 6));
    const home = await redis.cluster.ownerOf(slot);
    const away = redis.cluster.nodes.find((node) => node !== home)!;
    await redis.cluster.move(slot, away, async () => {
      expect(await space.loadMany(keys)).toEqual([
        ...keys.slice(0, 6).map((one) => `value of ${one}`),
        ...keys.slice(6).map(madeOf),
      ]);
      await Promise.all(keys.map((one) => space.setAsync(one, `ours ${one}`)));
      for (const one of keys) expect(await redis.cluster.other.get(`t:${one}`)).toBe(`ours ${one}`);
      await redis.cluster.other.set(`t:${keys[0]}`, 'theirs');
      await redis.cluster.other.set(`t:${keys[5]}`, 'theirs');
      await redis.cluster.told();
      expect(await space.load(keys[0]!)).toBe('theirs');
      expect(await space.load(keys[5]!)).toBe('theirs');
    });
    expect(await space.loadMany(keys)).toEqual([
      'theirs',
      ...keys.slice(1, 5).map((one) => `ours ${one}`),
      'theirs',
      ...keys.slice(6).map((one) => `ours ${one}`),
    ]);
    await redis.cluster.move(slot, home);
  });

  test('that is taken from its node without its keys is forgotten, though nobody tells of them', async () => {
    const space = texts({ cluster: redis.cluster.urls, heartbeat: 50 });
    await stored(KEYS);
    await space.loadMany(KEYS);
    const slot = await redis.cluster.slotOf(`t:${key}`);
    const home = await redis.cluster.ownerOf(slot);
    const away = redis.cluster.nodes.find((node) => node !== home)!;
    await away.client.sendCommand(['CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', home.id]);
    await away.client.sendCommand(['CLUSTER', 'SETSLOT', `${slot}`, 'NODE', away.id]);
    await until(() => space.peek(key) === undefined);
    expect(await space.load(key)).toBeUndefined();
    expect(KEYS.filter((one) => space.peek(one) !== undefined).length).toBeGreaterThan(KEYS.length / 2);
    await redis.cluster.untilAgreed();
    await redis.cluster.move(slot, home);
  });
});

test('a node that takes the cluster for down is not believed, though it answers', async () => {
  const { cluster } = redis;
  const space = texts({ cluster: cluster.urls, heartbeat: 50 });
  await stored(KEYS);
  await space.loadMany(KEYS);
  const [, broken] = cluster.nodes;
  const ownerOf = async (key: string) => cluster.ownerOf(await cluster.slotOf(`t:${key}`));
  const theirs: string[] = [];
  for (const key of KEYS) if ((await ownerOf(key)) === broken) theirs.push(key);
  const slot = `${await cluster.slotOf(`t:${theirs[0]}`)}`;
  await broken!.client.sendCommand(['CLUSTER', 'DELSLOTS', slot]);
  onTestFinished(async () => {
    await broken!.client.sendCommand(['CLUSTER', 'ADDSLOTS', slot]);
    await cluster.untilAgreed();
  });
  await until(() => theirs.every((key) => space.peek(key) === undefined));
  expect(space.stats().upstream.outages).toBe(1);
});

test('a node that is lost empties L0, its keys go to the loader, and when it is back it is tracked', async () => {
  const { cluster } = redis;
  const space = texts({ cluster: cluster.urls, heartbeat: 50 }, true);
  await stored(KEYS);
  await space.loadMany(KEYS);
  const [, lost] = cluster.nodes;
  const lostKeys: string[] = [];
  for (const key of KEYS) if ((await cluster.ownerOf(await cluster.slotOf(`t:${key}`))) === lost) lostKeys.push(key);
  await cluster.kill(lost!);
  onTestFinished(async () => {
    await cluster.restart(lost!);
    await cluster.untilAgreed();
  });
  await until(() => space.stats().upstream.state === 'down');
  expect(KEYS.filter((key) => space.peek(key) !== undefined)).toEqual([]);
  const begun = nowMs();
  expect(await space.loadMany(lostKeys)).toEqual(lostKeys.map(madeOf));
  expect(nowMs() - begun).toBeLessThan(1000);
  await cluster.restart(lost!);
  await cluster.untilAgreed();
  await until(() => space.stats().upstream.state === 'up', 20);
  // What was made meanwhile is forgotten.
  expect(lostKeys.filter((key) => space.peek(key) !== undefined)).toEqual([]);
  await stored(lostKeys);
  expect(await space.loadMany(lostKeys)).toEqual(lostKeys.map((key) => `value of ${key}`));
  await cluster.other.set(`t:${lostKeys[0]}`, 'after');
  await cluster.told();
  expect(await space.load(lostKeys[0]!)).toBe('after');
}, 60_000);

test('models share results over a cluster: a batch of inputs on all nodes is one run, of one process', async () => {
  const open = () => shouting(openOver({ cluster: redis.cluster.urls }), { upstream: true });
  const [one, other] = [open(), open()];
  const inputs = Array.from({ length: 60 }, (_, i) => `input ${i}`);
  const capitals = inputs.map((input) => input.toUpperCase());
  expect(await one.model.predictMany(inputs)).toEqual(capitals);
  expect(one.batches).toEqual([inputs]);
  await until(() => one.model.stats().upstream!.writes === inputs.length);
  expect(await other.model.predictMany(inputs)).toEqual(capitals);
  expect(other.batches).toEqual([]);
  one.model.delete('input 7');
  await until(() => other.model.peek('input 7') === undefined);
});
