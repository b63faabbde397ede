// bytes.ts: what may happen to the bytes of any file.
import { below, oneOf, type Random } from './make-safetensors.js';

export const BYTE_CHANGES: Record<string, (file: Buffer, random: Random) => Buffer> = {
  'a byte is another': (file, random) => {
    const changed = Buffer.from(file);
    changed[below(random, file.length)] = below(random, 256);
    return changed;
  },
  'a bit is another': (file, random) => {
    const changed = Buffer.from(file);
    changed[below(random, file.length)]! ^= 1 << below(random, 8);
    return changed;
  },
  'bytes are cut out': (file, random) => {
    const at = below(random, file.length);
    return Buffer.concat([file.subarray(0, at), file.subarray(at + 1 + below(random, 4))]);
  },
  'bytes are put in': (file, random) => {
    const at = below(random, file.length + 1);
    const more = Buffer.from(Array.from({ length: 1 + below(random, 3) }, () => below(random, 256)));
    return Buffer.concat([file.subarray(0, at), more, file.subarray(at)]);
  },
  'the end is cut off': (file, random) => file.subarray(0, below(random, file.length)),
  'a part is there twice': (file, random) => {
    const at = below(random, file.length);
    const end = at + 1 + below(random, Math.min(64, file.length - at));
    return Buffer.concat([file.subarray(0, end), file.subarray(at)]);
  },
  'eight bytes are a number': (file, random) => {
    const changed = Buffer.from(file);
    const values = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 61n + 1n];
    if (file.length >= 8) changed.writeBigUInt64LE(oneOf(random, values), below(random, file.length - 7));
    return changed;
  },
};
