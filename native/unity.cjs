// unity.cjs: what node-gyp compiles: the files of sources.txt and of binding/, some at a time in one file, since the
// standard headers are most of what a compiler reads. Writes those files to build/unity/ and prints their names.
//
//   node native/unity.cjs core|binding
const { mkdirSync, readdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const AT_ONCE = 12;

/** Compiled by themselves: for processors that others are not for. */
const OF_A_PROCESSOR = /avx|bmi|neon|checksum/;

/** Servers wait for their clients by epoll: they are for Linux alone. */
const OF_THIS_SYSTEM = process.platform === 'linux' ? /./ : /^(?!resp\/)/;

const root = path.dirname(__dirname);
const part = process.argv[2];
const files =
  part === 'core'
    ? readFileSync(path.join(root, 'native/sources.txt'), 'utf8')
        .trim()
        .split(/\s+/)
        .filter((file) => OF_THIS_SYSTEM.test(file))
    : readdirSync(path.join(root, 'native/binding'))
        .filter((file) => file.endsWith('.cc'))
        .sort()
        .map((file) => `binding/${file}`);
const alone = files.filter((file) => OF_A_PROCESSOR.test(file));
const together = files.filter((file) => !OF_A_PROCESSOR.test(file));
const folder = path.join(root, 'build/unity');
mkdirSync(folder, { recursive: true });
const names = alone.map((file) => `native/${file}`);
for (let from = 0; from < together.length; from += AT_ONCE) {
  const name = `build/unity/${part}_${from / AT_ONCE + 1}.cc`;
  const text = together
    .slice(from, from + AT_ONCE)
    .map((file) => `#include "${file}"\n`)
    .join('');
  // Only if it is another: make goes by its date.
  const before = (() => {
    try {
      return readFileSync(path.join(root, name), 'utf8');
    } catch {
      return undefined;
    }
  })();
  if (before !== text) writeFileSync(path.join(root, name), text);
  names.push(name);
}
console.log(names.join(' '));
