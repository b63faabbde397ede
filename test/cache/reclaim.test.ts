// Memory that views let go of comes back in time, even where JavaScript never lets the event loop turn.
import { describe, expect, test } from 'vitest';
import { answer, backends, similar } from '../fixtures/child.js';

describe.each(backends)('backend %s', (backend) => {
  const MODES: readonly [mode: string, nodeOptions: string[]][] = [
    ['alone', []],
    ['parked', []],
    ['alone', ['--max-old-space-size=64']],
  ];
  test.concurrent.each(similar(2, MODES))(
    'no set is refused in a synchronous loop (%s %j)',
    async (mode, nodeOptions) => {
      const result = await answer('reclaim.mjs', { backend, args: [mode], nodeOptions });
      expect(result, JSON.stringify(result)).toMatchObject({ refused: 0, refusals: 0, wrong: 0 });
      // What a parked worker saw stays with it, and is no room for others meanwhile.
      expect(result.hits).toBeGreaterThan(mode === 'parked' ? 10_000 : 30_000);
      if (mode === 'parked' && backend === 'shared') expect(result.exposed).toBeGreaterThan(60);
    },
  );
});
