// small-entries.mts — entries of a 32-byte key and an 8-byte value, written into the same two buffers again and again:
// a generator that leaves no garbage, for a suite that weighs memory.
//
//   key     24 fixed bytes and the id as 8 hexadecimal digits
//   value   8 bytes that follow from the id; none of them a digit, so that Redis does not store a number

export const KEY_BYTES = 32;
export const VALUE_BYTES = 8;

const PREFIX = 'tenant-07/session/token/';
const HEX_DIGITS = 8;

export class SmallEntries {
  readonly key = Buffer.alloc(KEY_BYTES);
  readonly value = Buffer.alloc(VALUE_BYTES);

  constructor() {
    this.key.write(PREFIX, 'latin1');
  }

  /** Makes `key` and `value` those of `id`. */
  select(id: number): void {
    for (let digit = 0; digit < HEX_DIGITS; digit++) {
      const nibble = (id >>> (4 * (HEX_DIGITS - 1 - digit))) & 15;
      this.key[PREFIX.length + digit] = nibble < 10 ? 48 + nibble : 87 + nibble; // '0' and 'a' - 10
    }
    for (let i = 0; i < VALUE_BYTES; i++) this.value[i] = 128 | (Math.imul(id + 1, 0x9e3779b1 + 2 * i) >>> 25);
  }

  holds(value: ArrayLike<number>): boolean {
    if (value.length !== VALUE_BYTES) return false;
    for (let i = 0; i < VALUE_BYTES; i++) if (value[i] !== this.value[i]) return false;
    return true;
  }
}
