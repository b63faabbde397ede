// What a client stores in a keyspace whose codec would not have stored it: the process is told, and can go on.
import { createClient } from 'redis';
import { afterEach, expect, test } from 'vitest';
import {
  bytes,
  CacheError,
  float16,
  float32,
  float64,
  int8,
  int16,
  int32,
  json,
  type Keyspace,
  number,
  type Server,
  serve,
  utf8,
} from 'zerohop';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

const servers: Server[] = [];
const clients: { destroy(): void }[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) await server.close();
});

// biome-ignore lint/suspicious/noExplicitAny: keyspaces of all codecs
type AnyKeyspace = Keyspace<any, any, any>;
type Options = { copy?: boolean; near?: boolean; keys?: 'integer' };

/** A keyspace of each codec, and a client whose databases they are. */
async function served(codecs: readonly unknown[], options: Options = {}) {
  const cache = openCache();
  const keyspaces: AnyKeyspace[] = codecs.map((codec, i) =>
    cache.keyspace(`values ${i}`, anything({ codec, ...options })),
  );
  const server = serve(cache, { port: 0, host: '127.0.0.1', databases: { ...keyspaces } });
  servers.push(server);
  const client = createClient({ url: server.addresses[0]!, socket: { reconnectStrategy: false } });
  client.on('error', () => {});
  clients.push(client);
  return { keyspaces, keyspace: keyspaces[0]!, client: await client.connect() };
}

/** Every way to the value under `key`. */
const waysTo = (keyspace: AnyKeyspace, key: string): Record<string, () => unknown> => ({
  get: () => keyspace.get(key),
  'get, again and again': () => {
    for (let i = 0; i < 100; ++i) keyspace.get(key);
  },
  getCopy: () => keyspace.getCopy(key),
  peek: () => keyspace.peek(key),
  entry: () => keyspace.entry(key),
  getMany: () => keyspace.getMany(['right', key]),
  entries: () => [...keyspace.entries()],
});

const WRONG: [string, unknown, unknown, string, string][] = [
  ['json', json, { a: 1 }, '{"a":', 'JSON text'],
  ['number', number, 1.5, '123456789', '8 bytes'],
  ['float64', float64(), Float64Array.of(1), '123456789', 'a multiple of 8 bytes'],
  ['float32(2)', float32(2), Float32Array.of(1, 2), '123456789012', '8 bytes'],
  ['float32', float32(), Float32Array.of(1, 2), '12345', 'a multiple of 4 bytes'],
  ['float16(2)', float16(2), Uint16Array.of(1, 2), '12', '4 bytes'],
  ['float16', float16(), Uint16Array.of(1, 2), '123', 'a multiple of 2 bytes'],
  ['int32(1)', int32(1), Int32Array.of(1), '', '4 bytes'],
  ['int16(1)', int16(1), Int16Array.of(1), '1', '2 bytes'],
  ['int8(2)', int8(2), Int8Array.of(1, 2), '1', '2 bytes'],
];

test.each<Options>([{}, { near: false }, { copy: true }])(
  'bytes that are no value of the codec are an error with a code, which names key and keyspace: %o',
  async (options) => {
    const { keyspaces, client } = await served(
      WRONG.map(([, codec]) => codec),
      options,
    );
    for (const [i, [name, , right, wrong, expected]] of WRONG.entries()) {
      const keyspace = keyspaces[i]!;
      await client.select(i);
      keyspace.set('right', right);
      await client.set('user:1', wrong);
      for (const [way, call] of Object.entries(waysTo(keyspace, 'user:1'))) {
        const error = errorOf(call);
        expect(error, `${name}: ${way}`).toBeInstanceOf(CacheError);
        expect(error).toMatchObject({
          code: 'ERR_CACHE_VALUE',
          message:
            `key "user:1" of keyspace "values ${i}": expected ${expected}, as the codec ${name} stores it, found ` +
            `${wrong.length} bytes. A client of the server may have stored them: delete the key, or set it again`,
        });
      }
      // The others can be read all the while, and this one once it is set again.
      expect(keyspace.get('right')).toEqual(keyspace.getCopy('right'));
      expect(keyspace.has('user:1')).toBe(true);
      keyspace.set('user:1', right);
      expect(keyspace.getMany(['right', 'user:1'])[1]).toEqual(keyspace.get('right'));
    }
  },
);

test('what is overwritten with such bytes is not answered from the near cache', async () => {
  const { keyspace, client } = await served([float32(2)]);
  keyspace.set('row', Float32Array.of(1, 2));
  for (let i = 0; i < 100; ++i) expect(keyspace.get('row')).toEqual(Float32Array.of(1, 2));
  await client.set('row', 'short');
  expect(errorOf(() => keyspace.get('row')).code).toBe('ERR_CACHE_VALUE');
});

test('the value is not shown in the message, and the cause says where its JSON ends', async () => {
  const { keyspace, client } = await served([json]);
  await client.set('key', 'secret');
  const error = errorOf(() => keyspace.get('key')) as unknown as CacheError;
  expect(error.message).not.toContain('secret');
  expect(error.cause).toBeInstanceOf(SyntaxError);
});

test('an integer key and a long key are named too', async () => {
  const { keyspace, client } = await served([number], { keys: 'integer' });
  await client.set(Buffer.from(BigInt64Array.of(42n).buffer), 'x');
  expect(errorOf(() => keyspace.get(42)).message).toMatch(/^key 42 of keyspace "values 0": /);
  const texts = await served([number]);
  await texts.client.set('k'.repeat(1000), 'x');
  expect(errorOf(() => texts.keyspace.get('k'.repeat(1000))).message).toMatch(/^key "k{40}" of /);
  expect(errorOf(() => texts.keyspace.get(Buffer.from('k'.repeat(1000)))).message).toMatch(/^key 0x(6b){40} of /);
});

test('gather tells rows of another length as missing, and leaves their places as they were', async () => {
  const { keyspace, client } = await served([float32(2)]);
  keyspace.set('right', Float32Array.of(1, 2));
  await client.set('short', '1234');
  await client.set('long', '123456789012');
  await client.set('uneven', '123');
  const out = new Float32Array(8).fill(9);
  expect(keyspace.gather(['short', 'right', 'long', 'uneven'], out)).toEqual({ hits: 1, missing: [0, 2, 3] });
  expect(out).toEqual(Float32Array.of(9, 9, 1, 2, 9, 9, 9, 9));
});

test('text that is no UTF-8 reads with U+FFFD, and bytes are whatever they are', async () => {
  const { keyspace, client } = await served([utf8]);
  await client.set('text', Buffer.from([0x61, 0xff, 0x62, 0xe2, 0x82]));
  expect([keyspace.get('text'), keyspace.getCopy('text'), keyspace.getMany(['text'])]).toEqual([
    'a\ufffdb\ufffd',
    'a\ufffdb\ufffd',
    ['a\ufffdb\ufffd'],
  ]);
  const raw = await served([bytes]);
  await raw.client.set('raw', Buffer.from([0xff, 0]));
  expect(raw.keyspace.get('raw')).toEqual(Uint8Array.of(0xff, 0));
});

test("what a codec of one's own throws comes through as it is", async () => {
  const own = {
    encode: (value: string) => Buffer.from(value),
    decode: (stored: Uint8Array) => {
      throw new RangeError(`no ${Buffer.from(stored)}`);
    },
  };
  const { keyspace, client } = await served([own]);
  await client.set('key', 'value');
  expect(() => keyspace.get('key')).toThrow(new RangeError('no value'));
});
