// The micro suite: it measures each public operation, and what it measures answers rightly.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publicMethods, UNMEASURED } from '../../bench/micro/methods.mjs';
import type { Room } from '../../bench/micro/operation.mjs';
import { openRooms } from '../../bench/micro/rooms.mjs';

describe('the micro suite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'zerohop-'));
  let rooms: ReadonlyMap<string, Room> = new Map();
  const operations = () => [...rooms.values()].flatMap((room) => [...room.operations]);

  beforeAll(async () => {
    rooms = await openRooms(folder);
  });

  afterAll(() => {
    for (const { close } of rooms.values()) close();
    rmSync(folder, { recursive: true });
  });

  test('measures each public method, or says why not', () => {
    const measured = new Set(operations().map(({ method }) => method));
    const left = publicMethods().filter((method) => !measured.has(method));
    expect(left.sort()).toEqual(Object.keys(UNMEASURED).sort());
  });

  test('gives each operation a name of its own in its room', () => {
    for (const [room, { operations: all }] of rooms) {
      const names = all.map(({ name }) => name);
      expect(new Set(names).size, room).toBe(names.length);
    }
  });

  test('gets the right answer from each operation, also after a step of it', async () => {
    for (const { check, prepare, calls, run } of operations()) {
      await check();
      prepare?.();
      for (let i = 0; i < calls; i++) await run(i);
      await check();
    }
  });
});
