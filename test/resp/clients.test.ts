// What the clients of several languages do with a server. All of it is run against Redis too: so a test that asks for
// something else than Redis does fails there.
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Redis as IoRedis } from 'ioredis';
import Valkey from 'iovalkey';
import { createClient, RESP_TYPES } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownFolder } from '../fixtures/folder.js';
import { startRedis, startZerohop, type TestServer } from '../fixtures/redis-servers.js';

const runFile = promisify(execFile);

/** Debian's, which has the packages that Debian's interpreter sees. */
const PYTHON = '/usr/bin/python3';

/** On a developer's machine they may be missing; CI installs them. */
const without = (file: string) => process.env['CI'] === undefined && !existsSync(file);

const servers = [
  ['Redis', startRedis],
  ['zerohop', startZerohop],
] as const;

describe.each(servers)('clients of %s', (_name, start) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  const url = () => `redis://127.0.0.1:${server.port}`;

  test('redis-cli sets, gets, counts and scans', async () => {
    const cli = async (...args: string[]) =>
      (await runFile('redis-cli', ['-p', `${server.port}`, ...args])).stdout.trimEnd();
    expect(await cli('SET', 'cli:text', 'a value with spaces')).toBe('OK');
    expect(await cli('GET', 'cli:text')).toBe('a value with spaces');
    expect(await cli('INCRBY', 'cli:count', '41')).toBe('41');
    expect(await cli('INCR', 'cli:count')).toBe('42');
    expect(await cli('INCR', 'cli:text')).toBe('ERR value is not an integer or out of range');
    expect((await cli('--scan', '--pattern', 'cli:*')).split('\n').sort()).toEqual(['cli:count', 'cli:text']);
    expect(await cli('-3', 'HELLO', '3')).toContain('proto 3');
    expect(await cli('NOSUCH', 'x')).toBe("ERR unknown command 'NOSUCH', with args beginning with: 'x'");
  });

  test('redis-benchmark gets an answer to each of its requests', async () => {
    const args = ['-p', `${server.port}`, '-n', '2000', '-c', '20', '-P', '16', '-q', '-t', 'ping,set,get,incr,mset'];
    const { stdout } = await runFile('redis-benchmark', args);
    for (const command of ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)'])
      expect(stdout).toMatch(new RegExp(`${command.replace(/[()]/g, '\\$&')}: [\\d.]+ requests per second`));
  });

  test.each([2, 3] as const)(
    'node-redis over RESP%i pipelines, transacts, and hears what is published',
    async (RESP) => {
      const client = await createClient({ url: url(), RESP }).connect();
      const other = await client.duplicate().connect();
      try {
        await client.flushAll();
        const vector = Buffer.from(new Float32Array([1.5, -2, 3.25]).buffer);
        await client.set('node:vector', vector, { expiration: { type: 'PX', value: 60_000 } });
        const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
        expect(await raw.get('node:vector')).toEqual(vector);
        expect(await client.pTTL('node:vector')).toBeGreaterThan(50_000);
        const many = Array.from({ length: 500 }, (_, i) => `node:${i}`);
        await Promise.all(many.map((key, i) => client.set(key, `${i}`)));
        expect(await client.mGet(many)).toEqual(many.map((_, i) => `${i}`));
        expect(await client.multi().incr('node:count').incr('node:count').get('node:count').exec()).toEqual([
          1,
          2,
          '2',
        ]);
        await client.watch('node:count');
        await other.set('node:count', '9');
        await expect(client.multi().incr('node:count').exec()).rejects.toThrow(/watched keys has been changed/);
        const heard = new Promise((resolve) => void other.subscribe('node:news', (message) => resolve(message)));
        while ((await client.publish('node:news', 'hello')) === 0);
        expect(await heard).toBe('hello');
        const keys = new Set<string>();
        for await (const some of client.scanIterator({ MATCH: 'node:*', COUNT: 50 }))
          for (const key of some) keys.add(key);
        expect(keys.size).toBe(many.length + 2);
      } finally {
        client.destroy();
        other.destroy();
      }
    },
  );

  test("node-redis's own cache is told when another client changes a key", async () => {
    const client = await createClient({ url: url(), RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0 } }).connect();
    const other = await createClient({ url: url() }).connect();
    try {
      await other.set('tracked', 'before');
      expect(await client.get('tracked')).toBe('before');
      await other.set('tracked', 'after');
      await expect.poll(() => client.get('tracked')).toBe('after');
      await other.del('tracked');
      await expect.poll(() => client.get('tracked')).toBe(null);
    } finally {
      client.destroy();
      other.destroy();
    }
  });

  test.each([
    ['ioredis', IoRedis],
    ['iovalkey', Valkey as unknown as typeof IoRedis],
  ])('%s sets binary values, pipelines and transacts', async (_client, Client) => {
    const client = new Client(server.port, '127.0.0.1');
    try {
      await client.flushdb();
      const bytes = Buffer.from([0, 255, 13, 10, 128]);
      expect(await client.set('io:bytes', bytes, 'EX', 100, 'NX')).toBe('OK');
      expect(await client.set('io:bytes', 'other', 'NX')).toBe(null);
      expect(await client.getBuffer('io:bytes')).toEqual(bytes);
      const replies = await client.pipeline().set('io:a', '1').incrbyfloat('io:a', 0.5).strlen('io:a').exec();
      expect(replies).toEqual([
        [null, 'OK'],
        [null, '1.5'],
        [null, 3],
      ]);
      expect(await client.multi().set('io:b', 'x').append('io:b', 'y').exec()).toEqual([
        [null, 'OK'],
        [null, 2],
      ]);
      expect((await client.keys('io:*')).sort()).toEqual(['io:a', 'io:b', 'io:bytes']);
      await client.select(3);
      expect(await client.get('io:a')).toBe(null);
    } finally {
      client.disconnect();
    }
  });

  test.skipIf(without('/usr/lib/python3/dist-packages/redis/__init__.py'))(
    'Python writes float32 rows that numpy reads back, and LMCache finds its chunks',
    async () => {
      const script = path.join(ownFolder(), 'client.py');
      writeFileSync(
        script,
        `
import sys, numpy, redis
client = redis.Redis(port=int(sys.argv[1]))
client.flushall()
row = numpy.arange(1024, dtype=numpy.float32)
client.set("py:row", row.tobytes(), ex=60)
assert (numpy.frombuffer(client.get("py:row"), dtype=numpy.float32) == row).all()
with client.pipeline(transaction=True) as pipe:
    pipe.incr("py:count"); pipe.incr("py:count"); pipe.ttl("py:row")
    one, two, ttl = pipe.execute()
assert (one, two) == (1, 2) and 50 < ttl <= 60
subscriber = client.pubsub(ignore_subscribe_messages=True)
subscriber.subscribe("py:news")
subscriber.get_message(timeout=1)
assert client.publish("py:news", "hello") == 1
assert subscriber.get_message(timeout=5)["data"] == b"hello"
# The four commands of LMCache's connector: EXISTS, SET, GET and SCAN.
chunk = "vllm@meta-llama@1@0@a3f1"
assert not client.exists(chunk)
client.set(chunk, bytes(range(256)) * 4096)
assert client.exists(chunk) and client.get(chunk) == bytes(range(256)) * 4096
cursor, found = 0, []
while True:
    cursor, some = client.scan(cursor=cursor, match="*")
    found += some
    if cursor == 0: break
assert chunk.encode() in found
print("fine")
`,
      );
      const { stdout } = await runFile(PYTHON, [script, `${server.port}`]);
      expect(stdout.trim()).toBe('fine');
    },
  );

  test.skipIf(without('/usr/include/hiredis/hiredis.h'))('hiredis pipelines from C', async () => {
    const folder = ownFolder();
    writeFileSync(
      path.join(folder, 'client.c'),
      `
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char** args) {
  redisContext* context = redisConnect("127.0.0.1", atoi(args[count - 1]));
  if (context == NULL || context->err) return 2;
  char value[5000];
  memset(value, 'v', sizeof(value));
  for (int i = 0; i < 1000; ++i) redisAppendCommand(context, "SET c:%d %b", i, value, (size_t)i * 5);
  for (int i = 0; i < 1000; ++i) redisAppendCommand(context, "GET c:%d", i);
  for (int i = 0; i < 2000; ++i) {
    redisReply* reply;
    if (redisGetReply(context, (void**)&reply) != REDIS_OK) return 3;
    if (i >= 1000 && (reply->type != REDIS_REPLY_STRING || reply->len != (size_t)(i - 1000) * 5)) return 4;
    freeReplyObject(reply);
  }
  puts("fine");
  return 0;
}
`,
    );
    const binary = path.join(folder, 'client');
    await runFile('cc', [`${binary}.c`, '-o', binary, '-lhiredis']);
    expect((await runFile(binary, [`${server.port}`])).stdout.trim()).toBe('fine');
  });
});
