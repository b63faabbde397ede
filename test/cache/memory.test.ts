// A cache takes no more memory than it was given, and gives back what it does not use.
import { describe, expect, test } from 'vitest';
import { answer, backends, rounds } from '../fixtures/child.js';

const MB = 2 ** 20;

describe.each(backends)('backend %s', (backend) => {
  test.concurrent('resident memory stays within capacity through churn', async () => {
    const result = await answer('memory.mjs', { backend, args: ['churn'] });
    expect(result.evictions).toBeGreaterThan(10_000);
    expect(result.residentMax).toBeLessThanOrEqual(result.capacity);
    expect(result.residentMax).toBeGreaterThan(8 * MB);
    expect(result.sumMax).toBeLessThanOrEqual(16 * MB);
    expect(result.grownMb).toBeLessThan(16 + 150); // the heap's garbage included
  });

  test.concurrent('values of 1 to 64 MiB come and go among small ones', async () => {
    const result = await answer('memory.mjs', { backend, args: ['large', rounds(1, 3)] });
    expect(result).toMatchObject({ failures: [], refusals: 0 });
    expect(result.residentMax).toBeLessThanOrEqual(result.capacity);
  });

  test.concurrent('clear gives the memory back at once where no view shows it', async () => {
    const result = await answer('memory.mjs', { backend, args: ['clear'] });
    expect(result.full).toBeGreaterThan(25 * MB);
    expect(result.cleared).toBe(0);
    expect(result.rssFellMb).toBeGreaterThan(20);
  });

  test.concurrent('cleared memory goes back within seconds once its views are gone, without a call', async () => {
    const result = await answer('memory.mjs', { backend, args: ['idle'] });
    expect(result).toMatchObject({ kept: true, given: true, left: 0 });
    // The views did hold it.
    expect(result.held > 0, `${result.held} bytes`).toBe(backend !== 'copy');
  });
});
