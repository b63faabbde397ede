// Beside first.test.cjs, in the same process: another realm, over the same addon.
const { open, float32 } = require('zerohop');

test('a second file of tests has values and errors of its own', () => {
  const cache = open({ maxBytes: 2 ** 21 });
  const vectors = cache.keyspace('vectors', { codec: float32(3) });
  for (let i = 0; i < 50; ++i) vectors.set(`${i}`, Float32Array.of(i, i + 1, i + 2));
  for (let i = 0; i < 50; ++i) expect([...vectors.get(`${i}`)]).toEqual([i, i + 1, i + 2]);
  expect(() => vectors.get('\ud800')).toThrow(TypeError);
  cache.close();
});
