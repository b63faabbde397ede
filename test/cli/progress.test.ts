// How far a command is: shown on a terminal alone, in escapes, and taken away before anything else is printed.
import { afterEach, expect, test, vi } from 'vitest';
import { Progress, untilInterrupted } from '../../dist/cli/progress.js';

const { isTTY } = process.stderr;
afterEach(() => {
  process.stderr.isTTY = isTTY;
  vi.restoreAllMocks();
});

function written(): string[] {
  const parts: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((part) => {
    parts.push(String(part));
    return true;
  });
  return parts;
}

test('a terminal sees one line, which is erased', () => {
  process.stderr.isTTY = true;
  const parts = written();
  const progress = new Progress();
  progress.tell(() => 'evil \x1b[31m');
  progress.tell(() => 'too soon');
  progress.clear();
  progress.clear();
  expect(parts).toEqual(['\r\x1b[Kevil \\x1b[31m', '\r\x1b[K']);
});

test('a file or a pipe gets nothing', () => {
  process.stderr.isTTY = false;
  const parts = written();
  const progress = new Progress();
  progress.tell(() => {
    throw new Error('nobody needs the text');
  });
  progress.clear();
  expect(parts).toEqual([]);
});

test('the first interrupt is told to the work; later ones end the process again', async () => {
  const before = process.listenerCount('SIGINT');
  await untilInterrupted(async (signal) => {
    process.emit('SIGINT');
    expect(signal.aborted).toBe(true);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});
