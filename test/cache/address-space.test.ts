// A process whose address space is limited (`ulimit -v`) opens a cache that fits, or is told which option to lower.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

const MB = 2 ** 20;
const ROOM_MB = 1024;

/** What `code`, a module's text, prints; with so many MiB of address space more than Node and the library take. */
function printed(code: string, limitKb?: number): string {
  const shell = `${limitKb === undefined ? '' : `ulimit -v ${limitKb} && `}exec "$0" --input-type=module -e "$1"`;
  return execFileSync('sh', ['-c', shell, process.execPath, code], { encoding: 'utf8' }).trim();
}

const sizeKb = `import 'zerohop'; import { readFileSync } from 'node:fs';
console.log(/VmPeak:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);`;

describe.runIf(process.platform === 'linux')('under ulimit -v', () => {
  const limitKb = () => Number(printed(sizeKb)) + ROOM_MB * 1024;

  test('the default size is a quarter of what is left, and the same when the name is opened again', () => {
    const code = `import { defaultMaxBytes, open } from 'zerohop';
      const [one, two] = [open({ name: 'a' }), open({ name: 'a' })];
      console.log(one.set('k', new Uint8Array(1)) && two.has('k') && defaultMaxBytes());`;
    const bytes = Number(printed(code, limitKb()));
    expect(bytes).toBeGreaterThanOrEqual(MB);
    expect(bytes).toBeLessThanOrEqual((ROOM_MB / 2) * MB);
  });

  test('a size that does not fit is ERR_CACHE_NO_MEMORY, which says what is left and what to lower', () => {
    const code = `import { open } from 'zerohop';
      try { open({ maxBytes: '64GB' }); } catch (error) { console.log(error.code, error.message); }`;
    expect(printed(code, limitKb())).toMatch(
      /^ERR_CACHE_NO_MEMORY reserving an arena of 68719476736 bytes: .*leaves \d+ bytes\); lower options\.maxBytes$/,
    );
  });
});
