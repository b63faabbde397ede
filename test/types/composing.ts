// What must compile, and as which types. Each line below a `@ts-expect-error` is an error, or this file is one.
// Compiled, never run.
import {
  type Cache,
  type CustomKeyspaceOptions,
  type Duration,
  EmbeddingTable,
  experiment,
  fingerprint,
  float32,
  json,
  type KeepInputsOptions,
  type KeyspaceOptions,
  type LoadOptions,
  type Model,
  type ModelOptions,
  type OpenOptions,
  open,
  type PredictOptions,
  PUBLIC,
  type ReadonlyFloat32Array,
  type ReadonlyInt8Array,
  type ResultOptions,
  result,
  type ServeOptions,
  type SetOptions,
  type Size,
  type TableOptions,
  type TableWriteOptions,
  type TierOptions,
  type UpstreamOptions,
  utf8,
  type VerifyOptions,
  Weights,
  type WeightsOptions,
  type WriteOptions,
} from 'zerohop';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles if the two are the same type. */
const same = <A, B>(..._: Same<A, B> extends true ? [] : [never]): void => {};

export async function views(cache: Cache, table: EmbeddingTable): Promise<void> {
  const users = cache.keyspace('users', { codec: float32(4) });
  const user = users.get('a')!;
  same<typeof user, ReadonlyFloat32Array>();
  table.topK(user, 3);
  table.topK(user.subarray(0, 4), 3, { ids: BigInt64Array.of(1n) });
  table.dot(user, [1, 2]);
  users.set('b', user);
  const classify = cache.model({
    ...{ name: 'c', version: '1', scope: PUBLIC, codec: utf8 },
    run: (vectors: Float32Array[]) => vectors.map(String),
  });
  const label: string = await classify.predict(user);
  await classify.predictMany([user, new Float32Array(4)]);
  classify.set(user, label);
  const both = experiment({ a: classify, b: classify, share: 0.5 });
  await both.predict(user);
  await EmbeddingTable.write('t', { ids: BigInt64Array.of(1n), vectors: user, dimensions: 4 });
  await Weights.write('w', { user, same: { dtype: 'F32', shape: [4], data: user } });
  fingerprint({ scope: PUBLIC, model: 'm', input: { dtype: 'F32', shape: [4], data: user } });
}

export async function rows(): Promise<void> {
  const floats = await EmbeddingTable.open('t', { dtype: 'float32', ids: 'integer' });
  same<typeof floats, EmbeddingTable<'F32', number>>();
  const row = floats.row(1)!;
  same<typeof row, ReadonlyFloat32Array>();
  const best = floats.topK(row, 3);
  same<typeof best, { id: number; score: number }[]>();
  floats.gather(BigInt64Array.of(1n), new Float32Array(4));
  // @ts-expect-error: ids of this table are numbers
  floats.row('a');
  // @ts-expect-error: rows of float32 go into no array of bytes
  floats.gather([1], new Int8Array(4));
  const bytes = await EmbeddingTable.open('t', { dtype: 'I8', ids: 'string' });
  const own: ReadonlyInt8Array | undefined = bytes.row('a');
  // @ts-expect-error: a query is float32
  bytes.topK(own!, 3);
  // @ts-expect-error: texts are no integers of 64 bits
  bytes.rows(BigInt64Array.of(1n));
  // @ts-expect-error: no table has such elements
  await EmbeddingTable.open('t', { dtype: 'Q4_K' });
  const any = await EmbeddingTable.open('t');
  same<typeof any, EmbeddingTable>();
}

export async function inferred(cache: Cache): Promise<void> {
  const terms = { version: '1', scope: PUBLIC } as const;
  const embed = cache.model({
    ...terms,
    name: 'embed',
    codec: float32(4),
    run: async (texts) => texts.map((text) => Float32Array.of(text.length)),
  });
  same<typeof embed, Model<string, ReadonlyFloat32Array, ReadonlyFloat32Array>>();
  const vector = await embed.predict('a');
  same<typeof vector, ReadonlyFloat32Array>();
  const one = cache.model({ ...terms, name: 'one', codec: utf8, runOne: async (text) => text.trim() });
  same<typeof one, Model<string, string, string>>();
  const label = cache.model({
    ...terms,
    name: 'label',
    codec: utf8,
    run: (vectors: Float32Array[]) => vectors.map(String),
  });
  const search = cache.pipeline([embed, label], { name: 'search', scope: PUBLIC, tags: (text) => [text.trim()] });
  same<typeof search, Model<string, string, string>>();
  const score = cache.model({ ...terms, name: 's', codec: json, run: async (texts: string[]) => texts });
  cache.pipeline([embed, label, score, embed], { name: 'four', scope: PUBLIC });
  const stages = [one, one];
  same<Awaited<ReturnType<ReturnType<typeof cache.pipeline<typeof stages>>['predict']>>, string>();
  // @ts-expect-error: the first stage takes texts
  search.predict(5);
  // @ts-expect-error: `embed` does not take vectors
  cache.pipeline([embed, embed], { name: 'wrong', scope: PUBLIC });
  // @ts-expect-error: nor does the last of these stages take text
  cache.pipeline([one, one, label], { name: 'wrong', scope: PUBLIC });
}

export function keys(cache: Cache): void {
  const texts = cache.keyspace('texts', { codec: utf8 });
  const ids = cache.keyspace('ids', { codec: utf8, keys: 'integer' });
  texts.set('a', 'x');
  texts.set(new Uint8Array(1), 'x');
  ids.set(5, 'x');
  ids.getMany(BigInt64Array.of(1n));
  ids.deleteMany(Int32Array.of(1));
  for (const [id, text] of ids) void (id.toFixed() + text);
  // @ts-expect-error: keys are strings
  texts.set(5, 'x');
  // @ts-expect-error: keys are strings
  texts.getMany([1, 2]);
  // @ts-expect-error: keys are strings
  texts.getMany(Int32Array.of(1));
  // @ts-expect-error: keys are integers
  ids.get('5');
  const own = { encode: () => new Uint8Array(1), decode: () => new Date() };
  // @ts-expect-error: keys of a keyspace with a custom codec are no different
  cache.keyspace('own', { codec: own, keys: 'integer' }).get('5');
  const tiered = cache.keyspace('tiered', {
    codec: utf8,
    keys: 'integer',
    upstream: { loader: (ids) => ids.map((id) => id.toFixed()) },
  });
  // @ts-expect-error: nor are those of one with an upstream
  void tiered.load('5');
}

export function sizesAndDurations(cache: Cache, environment: { TTL?: string; SIZE: string | undefined }): void {
  for (const size of ['4GiB', '512MiB', '4G', '64 MB', '1.5tb', '100B'] satisfies Size[]) open({ maxBytes: size });
  for (const ttl of ['250ms', '30s', '10 m', '1.5h', '2d'] satisfies Duration[]) open({ ttl });
  // @ts-expect-error: a size has another unit
  open({ maxBytes: '4 bananas' });
  // @ts-expect-error: a duration has another unit
  open({ ttl: '5 lightyears' });
  // @ts-expect-error: also in a variable
  const options: OpenOptions = { maxBytes: '4 bananas' };
  // @ts-expect-error: a keyspace's
  cache.keyspace('a', { codec: utf8, ttl: '5 lightyears' });
  // @ts-expect-error: a value's
  cache.set('k', new Uint8Array(1), { ttl: '5 lightyears' });
  // @ts-expect-error: a result's
  result(1, { ttl: '5 lightyears' });
  const terms = { name: 'm', version: '1', scope: PUBLIC, codec: utf8 } as const;
  const run = (texts: string[]) => texts;
  // @ts-expect-error: a model's
  cache.model({ ...terms, run, staleIfError: '5 lightyears' });
  // What is a string at run time is checked then. Undefined is the default.
  const { TTL, SIZE } = environment;
  open({ ttl: TTL, maxBytes: SIZE });
  open({ ttl: process.env['TTL'], maxBytes: process.env['SIZE'] });
  cache.keyspace('b', { codec: utf8, ttl: TTL }).set('k', 'v', { ttl: TTL });
  cache.model({ ...terms, run, ttl: TTL, staleWhileRevalidate: TTL });
  cache.touch('k', { ttl: TTL });
  const read: OpenOptions<string> = { ttl: TTL, maxBytes: SIZE };
  open(read);
  void options;
}

/** The names of the options that may be left out, but may not be undefined. */
type NotUndefined<T> = keyof {
  [K in keyof T as object extends Pick<T, K> ? ({ [Name in K]: undefined } extends Pick<T, K> ? never : K) : never]: 1;
};

same<NotUndefined<{ a: 1; b?: 1; c?: 1 | undefined }>, 'b'>();
export function undefinedIsTheDefault(): void {
  same<NotUndefined<OpenOptions>, never>();
  same<NotUndefined<KeyspaceOptions<1, 1, 1>>, never>();
  same<NotUndefined<CustomKeyspaceOptions<1>>, never>();
  same<NotUndefined<SetOptions>, never>();
  same<NotUndefined<ModelOptions<1, 1, 1, 1>>, never>();
  same<NotUndefined<KeepInputsOptions>, never>();
  same<NotUndefined<VerifyOptions>, never>();
  same<NotUndefined<PredictOptions>, never>();
  same<NotUndefined<ResultOptions>, never>();
  same<NotUndefined<TierOptions<1>>, never>();
  same<NotUndefined<UpstreamOptions>, never>();
  same<NotUndefined<ServeOptions>, never>();
  same<NotUndefined<WeightsOptions>, never>();
  same<NotUndefined<WriteOptions>, never>();
  same<NotUndefined<LoadOptions>, never>();
  same<NotUndefined<TableWriteOptions>, never>();
  same<NotUndefined<TableOptions>, never>();
}
