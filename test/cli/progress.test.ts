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

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'the first %s is told to the work; an interrupt after it ends the process',
  async (name) => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never);
    const before = process.listenerCount(name);
    await untilInterrupted(async (signal) => {
      process.emit(name, name);
      expect(signal.aborted).toBe(true);
      process.emit('SIGTERM', 'SIGTERM');
      expect(exit).not.toHaveBeenCalled();
      process.emit('SIGINT', 'SIGINT');
      expect(exit).toHaveBeenCalledWith(130);
    });
    expect(process.listenerCount(name)).toBe(before);
  },
);
