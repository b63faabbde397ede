// What must not compile. Each line below a `@ts-expect-error` is an error, or this file is one. Compiled, never run.
import {
  bytes,
  type Cache,
  type CacheError,
  float16,
  float32,
  int8,
  json,
  number,
  open,
  PUBLIC,
  result,
  utf8,
} from 'zerohop';

export function views(cache: Cache): void {
  const vectors = cache.keyspace('vectors', { codec: float32(4) });
  const view = vectors.get('k');

  // @ts-expect-error: a lookup may miss
  view.length;
  if (view === undefined) return;

  // @ts-expect-error: views are read only
  view[0] = 1;
  // @ts-expect-error: no mutator is there
  view.fill(0);
  // @ts-expect-error: nor this one
  view.set([1]);
  // @ts-expect-error: nor this one
  view.sort();
  // @ts-expect-error: nor this one
  view.reverse();
  // @ts-expect-error: nor this one
  view.copyWithin(0, 1);
  // @ts-expect-error: a view is not the caller's own array
  const own: Float32Array = view;
  const copied: Float32Array<ArrayBuffer> | undefined = vectors.getCopy('k');
  if (copied !== undefined) copied[0] = 1;
  for (const found of vectors.getMany(['a', 'b'])) {
    // @ts-expect-error: those of a batch are no different
    if (found !== undefined) found[0] = 1;
  }
  void own;
}

export function values(cache: Cache): void {
  // @ts-expect-error: a cache without a codec holds bytes
  cache.set('k', 'text');
  // @ts-expect-error: vectors of other elements are other vectors
  cache.keyspace('a', { codec: float32(2) }).set('k', new Float64Array(2));
  // @ts-expect-error: numbers are not text
  cache.keyspace('b', { codec: utf8 }).set('k', 1);
  // @ts-expect-error: text is no number
  cache.keyspace('c', { codec: number }).set('k', '1');
  // @ts-expect-error: int8 takes no bytes
  cache.keyspace('d', { codec: int8(2) }).set('k', new Uint8Array(2));
  // @ts-expect-error: dimensions are a number
  float16('4');
  const own = { encode: (value: Date) => Buffer.from(value.toISOString()), decode: () => new Date() };
  const dates = cache.keyspace('e', { codec: own });
  dates.set('k', new Date());
  // @ts-expect-error: a custom codec takes what its encode takes
  dates.set('k', 'now');
  const found: Date | undefined = dates.get('k');
  // @ts-expect-error: `set` answers at once
  cache.set('k', new Uint8Array(1)).then;
  void [found, json, bytes];
}

export function options(): void {
  // @ts-expect-error: a word that is no option
  open({ maxbytes: 1 });
  // @ts-expect-error: one of three words
  open({ verify: 'always' });
  // @ts-expect-error: keys that are no keys
  open().get({});
  // @ts-expect-error: a code that there is not
  const wrong: CacheError['code'] = 'ERR_CACHE_FULL';
  void wrong;
}

export function shared(cache: Cache): void {
  const terms = { name: 'm', version: '1', scope: 'acme', codec: utf8, run: (inputs: string[]) => inputs };
  const model = cache.model({ ...terms, upstream: { lease: false, wait: '10s' } });
  // @ts-expect-error: the model stands in place of a loader
  cache.model({ ...terms, upstream: { loader: () => [] } });
  // @ts-expect-error: a model without an upstream has no counts of one
  const hits: number = model.stats().upstream.hits;
  void hits;
}

export async function models(cache: Cache, load: (id: string) => Promise<Float32Array>): Promise<void> {
  const terms = { name: 'm', version: '1', scope: PUBLIC, codec: float32(4) } as const;
  const batches = cache.model({ ...terms, run: (ids: string[]) => Promise.allSettled(ids.map(load)) });
  const vector: Float32Array | { readonly length: number } = await batches.predict('a');
  const one = cache.model({
    ...terms,
    runOne: (id: string, { signal, key }) => load(`${id} ${signal.aborted} ${key.length}`),
  });
  for (const settled of await one.settle(['a'])) if (settled.status === 'fulfilled') void settled.value.length;
  cache.model({ ...terms, runOne: async (id: string) => result(await load(id), { ttl: '1m', computed: false }) });
  cache.model({ ...terms, run: async (ids: string[]) => ids.map(() => result(new Float32Array(4), { cost: 1 })) });
  // @ts-expect-error: something must compute the results
  cache.model({ ...terms });
  // @ts-expect-error: one of them
  cache.model({ ...terms, run: () => [], runOne: load });
  // @ts-expect-error: results are what the codec takes
  cache.model({ ...terms, runOne: async (id: string) => id });
  // @ts-expect-error: also in results that say how they are kept
  cache.model({ ...terms, run: async (ids: string[]) => ids.map((id) => result(id)) });
  // @ts-expect-error: an option that is none
  result(1, { maxAge: 5 });
  // @ts-expect-error: what is asked is what runOne takes
  one.predict(1);
  void vector;
}
