// leases.ts: of many processes that miss the same key, one makes its value.
//
// A lease is a key in Redis beside the value's, which holds the token of who may make the value, and ends by itself. Its
// holder keeps it alive while the loader works, so it may be short: when a holder is killed, another one takes over soon.
// The token is the fence. A holder that was stopped and comes back late does not have the lease any more, so what it
// made is not stored. Each step is one script, which Redis runs without others in between.

import { randomUUID } from 'node:crypto';
import { now } from '../base/time.js';
import type { StaleEnd } from './flights.js';
import type { Link } from './link.js';
import type { Argument, Reply } from './redis.js';
import { Script } from './script.js';

/**
 * For each value's key and its lease: 0 if there is a value that is not to be replaced, -1 if the lease is ours, or how
 * long another one's lasts.
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

/**
 * Takes the leases of values that end within ARGV[3] ms: how long each lasts still, or -1 if the lease is not ours. The
 * last number is Redis's clock.
 */
const TAKE_STALE = new Script(`local t,r=redis.call("TIME"),{}
for i=1,#KEYS,2 do
  local left=redis.call("PTTL",KEYS[i])
  if left<0 or left>tonumber(ARGV[3]) or not redis.call("SET",KEYS[i+1],ARGV[1],"NX","PX",ARGV[2]) then left=-1 end
  r[#r+1]=left
end
r[#r+1]=t[1]*1000+math.floor(t[2]/1000)
return r`);

/** Redis's clock goes on while a script runs. Two writes of other clients are not so close to each other by chance. */
const CLOCK_SLACK_MS = 20;

/**
 * Stores a value in place of the one that ends at ARGV[4], or that has ended then, and ends the lease, if it is ours.
 * Whatever else was written there meanwhile ends at another time.
 */
const REPLACE = new Script(`if redis.call("GET",KEYS[2])~=ARGV[1] then return 0 end
redis.call("DEL",KEYS[2])
local t,left=redis.call("TIME"),redis.call("PTTL",KEYS[1])
local late=t[1]*1000+math.floor(t[2]/1000)-ARGV[4]
if left==-1 then return 0 end
if left==-2 and late<-${CLOCK_SLACK_MS} or left>=0 and math.abs(late+left)>${CLOCK_SLACK_MS} then return 0 end
redis.call("SET",KEYS[1],ARGV[2],"PX",ARGV[3])
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
  await eachGroup(link, keys, async (both, places) => {
    const left = (await link.run(TAKE, both, [token, `${ms}`, replaces ? '1' : ''])) as Reply[];
    for (const [n, i] of places.entries())
      taken[i] = left[n] === -1 ? 'ours' : left[n] === 0 ? 'value' : { othersForMs: Number(left[n]) };
  });
  return taken;
}

/** Makes those of these leases that are ours last for `ms`; 0: they end. Whether a server does it is not told. */
export function keepLeases(link: Link, keys: readonly Argument[], token: string, ms: number): void {
  for (const group of link.groups(keys, (at) => at)) link.aside(link.run(KEEP, group.map(leaseOf), [token, `${ms}`]));
}

/**
 * Ends the lease of a value, whoever has it, so that what its holder makes is not stored. Whether the server does it is
 * not told. A command of its own: in a slot that moves, Redis refuses one about two keys of which it has one.
 */
export function endLease(link: Link, at: Argument): void {
  if (hasLease(at)) link.aside(link.call(at, ['DEL', leaseOf(at)]));
}

/** Takes the leases of values that end within `staleMs`. When they end; undefined: the lease is not ours. */
export async function takeStale(
  link: Link,
  keys: readonly Argument[],
  token: string,
  ms: number,
  staleMs: number,
): Promise<(StaleEnd | undefined)[]> {
  const ends = new Array<StaleEnd | undefined>(keys.length).fill(undefined);
  const script = [token, `${ms}`, `${staleMs}`];
  await eachGroup(link, keys, async (both, places) => {
    const sent = now();
    const reply = (await link.run(TAKE_STALE, both, script)) as number[];
    for (const [n, i] of places.entries())
      if (reply[n]! >= 0) ends[i] = { there: reply.at(-1)! + reply[n]!, here: sent + reply[n]! };
  });
  return ends;
}

/** Calls `take` with the keys of each server and their leases, and with their places. A server may not answer. */
async function eachGroup(
  link: Link,
  keys: readonly Argument[],
  take: (both: readonly Argument[], places: readonly number[]) => Promise<void>,
): Promise<void> {
  const numbered = keys.map((at, i) => ({ at, i })).filter(({ at }) => hasLease(at));
  const groups = link.groups(numbered, ({ at }) => at);
  const of = (group: typeof numbered) => group.flatMap(({ at }) => [at, leaseOf(at)]);
  const taken = groups.map((group) =>
    take(
      of([...group]),
      group.map(({ i }) => i),
    ),
  );
  await Promise.all(taken.map((one) => one.catch(() => {})));
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

/** Whether the value is stored in place of one that ends at `end`. @throws {LinkError} */
export async function replaceValue(
  link: Link,
  at: Argument,
  token: string,
  value: Buffer,
  ttl: string,
  end: StaleEnd,
): Promise<boolean> {
  return (await link.run(REPLACE, [at, leaseOf(at)], [token, value, ttl, `${end.there}`])) === 1;
}
