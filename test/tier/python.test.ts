// What a service in Python writes with redis-py and numpy is read here, and back.
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { float32, json, number, PUBLIC } from 'zerohop';
import { until } from '../fixtures/opened.js';
import { openOver, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();

/** Debian's, which has the packages that Debian's interpreter sees. */
const PYTHON = '/usr/bin/python3';

/** On a developer's machine it or its packages may be missing; CI installs them. */
const without = process.env['CI'] === undefined && spawnSync(PYTHON, ['-c', 'import numpy, redis']).status !== 0;

const python = async (script: string) =>
  (await promisify(execFile)(PYTHON, ['-c', `${HEAD}\n${script}`, `${redis.port}`])).stdout.trim();

const HEAD = `import json, sys
import numpy as np
import redis
r = redis.Redis(port=int(sys.argv[1]))`;

test.skipIf(without)(
  'vectors, numbers and JSON of redis-py and numpy are read, and theirs are read there',
  async () => {
    await python(`
r.set('v:theirs', np.array([0.5, -0.0, 1e-40], dtype='<f4').tobytes())
r.set('n:theirs', 0.1)
r.incrbyfloat('n:theirs', 0.4)
r.set('j:theirs', json.dumps({'user': 'ü', 'clicks': [1, 2.5, None]}))
`);
    const cache = openOver(redis.url);
    const vectors = cache.keyspace('v', { codec: float32(3), upstream: true });
    const numbers = cache.keyspace('n', { codec: number, upstream: true });
    const objects = cache.keyspace('j', { codec: json, upstream: true });
    expect(await vectors.load('theirs')).toEqual(new Float32Array([0.5, -0, 1e-40]));
    expect(await numbers.load('theirs')).toBe(0.5);
    expect(await objects.load('theirs')).toEqual({ user: 'ü', clicks: [1, 2.5, null] });

    await vectors.setAsync('ours', new Float32Array([3, -1.25, 0]));
    await numbers.setAsync('ours', -2.5);
    await objects.setAsync('ours', { user: 'ü' });
    const read = await python(`
print(np.frombuffer(r.get('v:ours'), dtype='<f4').tolist(), float(r.get('n:ours')), json.loads(r.get('j:ours')))
r.set('v:ours', np.ones(3, dtype='<f4').tobytes())
`);
    expect(read).toBe("[3.0, -1.25, 0.0] -2.5 {'user': 'ü'}");
    await until(() => !vectors.has('ours'));
    expect(await vectors.load('ours')).toEqual(new Float32Array([1, 1, 1]));
  },
);

test.skipIf(without)('a result of a model is read by its key, and one that numpy wrote is not computed', async () => {
  const open = () => {
    const cache = openOver(redis.url);
    const run = (texts: string[]) => texts.map((text) => new Float32Array([text.length, -0.5]));
    return cache.model({ name: 'encoder', version: '1', scope: PUBLIC, codec: float32(2), upstream: true, run });
  };
  const encoder = open();
  await encoder.predict('a text');
  await until(() => encoder.stats().upstream!.writes === 1);
  const [ours, theirs] = ['a text', 'theirs'].map((text) => encoder.fingerprint(text).hex);
  const read = await python(`
print(np.frombuffer(r.get('zerohop:model:encoder:float32(2):${ours}'), dtype='<f4').tolist())
r.set('zerohop:model:encoder:float32(2):${theirs}', np.array([7, 8], dtype='<f4').tobytes(), px=3600000)
`);
  expect(read).toBe('[6.0, -0.5]');
  const other = open();
  expect(await other.predict('theirs')).toEqual(new Float32Array([7, 8]));
  expect(other.stats()).toMatchObject({ upstreamHits: 1, computed: 0 });
});
