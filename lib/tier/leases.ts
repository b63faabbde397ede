// leases.ts: of many processes that miss the same key, one makes its value.
//
// A lease is a key in Redis beside the value's, which holds the token of who may make the value, and ends by itself. Its
// holder keeps it alive while the loader works, so it may be short: when a holder is killed, another one takes over soon.
// The token is the fence. A holder that was stopped and comes back late does not have the lease any more, so what it
// made is not stored. Each step is one script, which Redis runs without others in between.

import { randomUUID } from 'node:crypto';
import type { Link } from './link.js';
import type { Argument, Reply } from './redis.js';
import { Script } from './script.js';

/**
 * For each value's key and its lease: 0 if there is a value that is not to be replaced, -1 if the lease is ours, or how long another one's lasts.
 * A list or a hash is no value: MGET does not find it either.
 */
const TAKE = new Script(`local r={}
for i=1,#KEYS,2 do
  if ARGV[3]~="1" and redis.call("TYPE",KEYS[i]).ok=="string" then r[#r+1]=0
  elseif redis.call("SET",KEYS[i+1],ARGV[1],"NX","PX",ARGV[2]) then r[#r+1]=-1
  else r[#r+1]=math.max(1,redis.call("PTTL",KEYS[i+1])) end
end
return r`);

/** Stores a value and ends the lease, if it is ours, and there is no value or it is to be replaced. */
const GIVE = new Script(`if redis.call("GET",KEYS[2])~=ARGV[1] then return 0 end
redis.call("DEL",KEYS[2])
if ARGV[4]~="1" and redis.call("EXISTS",KEYS[1])==1 then return 0 end
if ARGV[3]=="" then redis.call("SET",KEYS[1],ARGV[2]) else redis.call("SET",KEYS[1],ARGV[2],"PX",ARGV[3]) end
return 1`);

/** Makes the leases that are ours last as long as at first; 0 ms ends them. */
const KEEP = new Script(`for i,k in ipairs(KEYS) do
  if redis.call("GET",k)==ARGV[1] then redis.call("PEXPIRE",k,ARGV[2]) end
end`);

/** No keyspace's prefix, unless that is empty: nobody is told of leases. */
const PREFIX = 'zerohop:lease:';

/** The slot of a key in a cluster is told by what stands between its first braces, or else by all of it. */
const TAGGED = /^[^{]*\{[^}]+\}/;

/** A lease lies where its value does, because both have the same slot. Such keys have none: no other key has theirs. */
const hasLease = (at: Argument): boolean => TAGGED.test(latin(at)) || !latin(at).includes('}');

function leaseOf(at: Argument): Argument {
  const [before, after] = TAGGED.test(latin(at)) ? [PREFIX, ''] : [`${PREFIX}{`, '}'];
  if (typeof at === 'string') return before + at + after;
  return Buffer.concat([Buffer.from(before), at, Buffer.from(after)]);
}

const latin = (at: Argument): string => (typeof at === 'string' ? at : at.toString('latin1'));

export const newToken: () => string = randomUUID;

/** What became of a lease. `none`: its server did not answer, or it can have none. */
export type Taken = 'ours' | 'value' | 'none' | { readonly othersForMs: number };

/**
 * Takes the leases of these values. Those of each server together, and all servers at the same time.
 *
 * @param replaces  also of those that Redis has
 */
export async function takeLeases(
  link: Link,
  keys: readonly Argument[],
  token: string,
  ms: number,
  replaces = false,
): Promise<Taken[]> {
  const taken = new Array<Taken>(keys.length).fill('none');
  const numbered = keys.map((at, i) => ({ at, i })).filter(({ at }) => hasLease(at));
  const take = async (group: readonly (typeof numbered)[number][]) => {
    const both = group.flatMap(({ at }) => [at, leaseOf(at)]);
    const left = (await link.run(TAKE, both, [token, `${ms}`, replaces ? '1' : ''])) as Reply[];
    for (const [n, { i }] of group.entries())
      taken[i] = left[n] === -1 ? 'ours' : left[n] === 0 ? 'value' : { othersForMs: Number(left[n]) };
  };
  await Promise.all(link.groups(numbered, ({ at }) => at).map((group) => take(group).catch(() => {})));
  return taken;
}

/** Makes those of these leases that are ours last for `ms`; 0: they end. Whether a server does it is not told. */
export function keepLeases(link: Link, keys: readonly Argument[], token: string, ms: number): void {
  for (const group of link.groups(keys, (at) => at))
    link.run(KEEP, group.map(leaseOf), [token, `${ms}`]).catch(() => {});
}

/** Whether the value is stored. `ttl` is that of PX; '' is for ever. @throws {LinkError} */
export async function giveValue(
  link: Link,
  at: Argument,
  token: string,
  value: Buffer,
  ttl: string,
  replaces: boolean,
): Promise<boolean> {
  return (await link.run(GIVE, [at, leaseOf(at)], [token, value, ttl, replaces ? '1' : ''])) === 1;
}
