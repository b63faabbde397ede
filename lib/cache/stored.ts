// stored.ts: what native code answers to a store, and storing bytes that need no codec.

import {
  EVICTED,
  type NativeKey,
  native,
  registers,
  STORE_COST,
  STORE_TTL,
  STORED,
  wideRegisters,
} from '../addon/native.js';
import { announceEvictions, announceRefusal } from './events.js';

/** Whether native code stored it. Tells of what was evicted, or that it was refused. */
export function wasStored(answer: number): boolean {
  if (registers[EVICTED] !== 0) announceEvictions(registers[EVICTED]!);
  if (answer === STORED) return true;
  announceRefusal();
  return false;
}

/** Stores bytes as the keyspace's codec has them. `ttlMs` and `cost` as in `set`. */
export function storeBytes(
  handle: number,
  key: NativeKey,
  stored: ArrayBufferView,
  ttlMs: number,
  cost: number,
): boolean {
  wideRegisters[STORE_TTL] = ttlMs * 1000;
  wideRegisters[STORE_COST] = cost;
  return wasStored(native.set(handle, key, stored));
}
