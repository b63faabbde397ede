// `zerohop/guard`, on whatever Node: what it refuses, and that it changes nothing else.
import { describe, expect, test } from 'vitest';
import { run } from '../fixtures/child.js';

const REFUSED = 'TypeError ERR_INVALID_ARG_TYPE';
const all = (outcome: string) => ({ view: outcome, buffer: outcome, dataView: outcome });

describe.each([
  ['node --import zerohop/guard', ['--import', 'zerohop/guard']],
  ['node --require zerohop/guard', ['--require', 'zerohop/guard']],
  ['both', ['--import', 'zerohop/guard', '--require', 'zerohop/guard']],
])('%s', (_, nodeOptions) => {
  test('has web APIs throw for what they would send as text, and leaves everything else as it is', async () => {
    const { stdout, stderr } = await run('guard.mjs', { nodeOptions });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      results: {
        fetch: { ...all(REFUSED), own: 'right' },
        Request: { ...all(REFUSED), own: 'right' },
        Response: { ...all(REFUSED), own: 'right' },
        'Response of a stream': { ...all('right'), own: 'right' },
        'WebSocket.send': { ...all(typeof WebSocket === 'undefined' ? 'right' : REFUSED), own: 'right' },
        'FormData.append': { ...all(REFUSED), own: 'text' },
        'FormData of a Blob': { ...all('right'), own: 'right' },
      },
      unchanged: true,
    });
  });
});

test('without the guard no API is touched', async () => {
  const { stdout } = await run('guard.mjs', { nodeOptions: ['--import', 'zerohop'] });
  expect(JSON.parse(stdout).results['FormData.append']).toEqual({ ...all('text'), own: 'text' });
});
