// sentinel.ts: the primary that Sentinels name.
//
// All Sentinels are asked at once, and what most of those say that answer is the primary: one that is cut off from the
// others may name an old one. They are asked again at each heartbeat. A failover ends the connection to the old primary,
// sooner or later; a Sentinel says so at once.

import { Asker } from './asker.js';
import { type Address, type AddressMap, mapped, PRIMARY, textOf } from './places.js';
import { newClient, type RedisPlace, type SocketOptions } from './redis.js';

export interface SentinelParts {
  readonly shown: string;
  readonly keyPrefix: string;
  /** What the primary is called. */
  readonly name: string;
  /** The options of a client for each Sentinel. */
  readonly sentinels: readonly { readonly socket: SocketOptions }[];
  /** Those of a client for the primary. */
  readonly primary: { readonly socket?: SocketOptions; readonly [option: string]: unknown };
  readonly map: AddressMap | undefined;
}

/** @param timeoutMs  of asking the Sentinels */
export function sentinelPlace(parts: SentinelParts, timeoutMs: number): RedisPlace {
  const { shown, keyPrefix, name, sentinels, primary, map } = parts;
  const askers = sentinels.map((options) => new Asker((ms) => newClient(options, options.socket, ms), timeoutMs));
  let current: string | undefined;

  async function find(): Promise<Address> {
    const votes = new Map<string, { address: Address; count: number }>();
    const failures: string[] = [];
    if (askers.length === 0) throw new Error(`there is no Sentinel that could name a primary ${name}`);
    return new Promise((resolve, reject) => {
      let left = askers.length;
      const decide = () => {
        left--;
        const [best] = [...votes.values()].sort((one, other) => other.count - one.count);
        if (best !== undefined && (left === 0 || best.count > askers.length / 2)) resolve(best.address);
        else if (left === 0) reject(new Error(`no Sentinel names a primary ${name}: ${failures.join('; ')}`));
      };
      for (const asker of askers)
        asker
          .ask(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name])
          .then((reply) => {
            if (!Array.isArray(reply)) throw new Error('it does not know that name');
            const address = { host: String(reply[0]), port: Number(reply[1]) };
            const vote = votes.get(textOf(address)) ?? { address, count: 0 };
            vote.count++;
            votes.set(textOf(address), vote);
          })
          .catch((error: Error) => void failures.push(error.message))
          .then(decide);
    });
  }

  return {
    shown,
    keyPrefix,
    probe: PRIMARY,
    async make(connectTimeoutMs) {
      const address = await find();
      current = textOf(address);
      return newClient(primary, { ...primary.socket, ...mapped(map, address) }, connectTimeoutMs);
    },
    async moved() {
      try {
        const named = textOf(await find());
        return named === current ? undefined : `the Sentinels name ${named} as the primary, in place of ${current}`;
      } catch {
        return undefined; // without Sentinels Redis is used as long as it answers
      }
    },
    close() {
      for (const asker of askers) asker.close();
    },
  };
}
