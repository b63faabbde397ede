// One scenario under every way of showing memory to JavaScript: what a user sees is the same.
import { expect, test } from 'vitest';
import { allBackends, answer, defaultBackend } from '../fixtures/child.js';

test('every backend gives the same results', async () => {
  const answers = await Promise.all(allBackends.map((backend) => answer('backends.mjs', { backend })));
  expect(answers.map((one) => one.backend)).toEqual(allBackends);
  for (const one of answers) {
    expect(one.visible).toEqual(answers[0].visible);
    expect(one.visible).toMatchObject({ corrupted: 0, refusals: 0, flaws: 0 });
    expect(one.visible.hits).toBeGreaterThan(1000);
    expect(one.evictions).toBeGreaterThan(1000);
    // Each really took its own way.
    expect(one.exposures > 0, one.backend).toBe(one.backend !== 'copy');
  }
});

test('external SharedArrayBuffers are the default backend', async () => {
  expect((await answer('backends.mjs')).backend).toBe(defaultBackend);
});

test('a backend can be chosen by name, and an unknown name chooses the default', async () => {
  expect((await answer('environment.mjs', { backend: 'array' })).backend).toBe('array');
  const unknown = await answer('environment.mjs', { backend: 'nonsense' as 'copy' });
  expect(unknown.backend).toBe(defaultBackend);
});
