// vectors.ts: the fingerprints that must never change, and what they are of.

import { readFileSync } from 'node:fs';
import { type FingerprintOptions, PUBLIC } from 'zerohop/fingerprint';

/** A value, described for any language. */
export type Described =
  | { json: unknown }
  | { text: string }
  | { undefined: true }
  | { number: string }
  | { bigint: string }
  | { date: string }
  | { bytes: string }
  | { tensor: { dtype: string; shape: number[]; hex: string } }
  | { list: Described[] }
  | { set: Described[] }
  | { map: [Described, Described][] }
  | { object: Record<string, Described> };

export interface Vector {
  name: string;
  /** null: PUBLIC. */
  scope: string | null;
  domain?: string;
  model?: Described;
  pipeline?: string;
  models?: Described[];
  params: Described;
  input: Described;
  normalization?: NonNullable<FingerprintOptions['normalization']>;
  exclude?: string[];
  fingerprint: string;
}

export const VECTORS_FILE = new URL('./vectors.json', import.meta.url).pathname;
export const vectors = JSON.parse(readFileSync(VECTORS_FILE, 'utf8')) as Vector[];

export function valueOfDescribed(described: Described): unknown {
  const [[kind, of]] = Object.entries(described) as [[string, never]];
  switch (kind) {
    case 'json':
    case 'text':
      return of;
    case 'undefined':
      return undefined;
    case 'number':
      return Number(of);
    case 'bigint':
      return BigInt(of);
    case 'date':
      return new Date(of);
    case 'bytes':
      return Buffer.from(of, 'hex');
    case 'tensor': {
      const { dtype, shape, hex } = of as { dtype: string; shape: number[]; hex: string };
      return { dtype, shape, data: new Uint8Array(Buffer.from(hex, 'hex')) };
    }
    case 'list':
      return (of as Described[]).map(valueOfDescribed);
    case 'set':
      return new Set((of as Described[]).map(valueOfDescribed));
    case 'map':
      return new Map(
        (of as [Described, Described][]).map(([key, each]) => [valueOfDescribed(key), valueOfDescribed(each)]),
      );
    case 'object':
      return Object.fromEntries(
        Object.entries(of as object).map(([name, each]) => [name, valueOfDescribed(each as Described)]),
      );
    default:
      throw new Error(kind);
  }
}

export function scopeOf({ scope }: Vector): string | typeof PUBLIC {
  return scope ?? PUBLIC;
}

export function optionsOf({ normalization, exclude }: Vector): FingerprintOptions {
  return { ...(normalization && { normalization }), ...(exclude && { exclude }) };
}
