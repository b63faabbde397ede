// rooms.mts — all operations of the micro suite, by room.

import { cacheOperations } from './cache.mjs';
import { fingerprintOperations } from './fingerprint.mjs';
import { modelOperations } from './model.mjs';
import type { Room } from './operation.mjs';
import { tableOperations, weightsOperations } from './weights.mjs';

/** @param folder  for the files of tables and weights */
export async function openRooms(folder: string): Promise<ReadonlyMap<string, Room>> {
  return new Map([
    ['cache', cacheOperations()],
    ['fingerprint', fingerprintOperations()],
    ['model', await modelOperations()],
    ['table', await tableOperations(folder)],
    ['weights', await weightsOperations(folder)],
  ]);
}
