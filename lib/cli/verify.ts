// verify.ts: `zerohop verify`, whether what a cache holds is right: a sample of its values is compared with another
// server's, or with what the model's HTTP endpoint computes now.
//
// A live cache changes while it is looked at. So a key that differs is read once more, and counts only if its value is
// still the one that was compared.

import { Command, Option } from 'commander';
import { amountOption, countOption, durationOption } from '../base/options.js';
import { type Range, shareBetween } from '../observe/ranges.js';
import type { RespClient } from '../resp/client.js';
import { onServer, type ServerGiven, withKeyspace, withServer } from './connection.js';
import { misuse, NotThere } from './exit.js';
import { scanned } from './keys.js';
import { grouped, jsonOf, print, printJson, printPairs, shown } from './print.js';
import { Progress, untilInterrupted } from './progress.js';
import { type Difference, differenceOf, FORMS, type Form } from './verify-compare.js';
import type { Answer, Reference } from './verify-references.js';
import { KeySample } from './verify-sample.js';

interface Given extends ServerGiven {
  against?: string;
  endpoint?: string;
  body: string;
  pointer: string;
  endpointTimeout: string;
  as: Form;
  tolerance?: string;
  sample: string;
  seed?: string;
  prefix: string;
  maxDifference: string;
  absentDiffers?: boolean;
  concurrency: string;
  show: string;
}

const TOLERANCES: Record<Form, number> = { bytes: 0, json: 0, float32: 1e-5 };
const SEED_MAX = 2 ** 32 - 1;
const ENDPOINT_TOKEN = 'ZEROHOP_ENDPOINT_TOKEN';

export function verifyCommand(): Command {
  const command = new Command('verify')
    .description("compare a sample of the cache's values with another server's, or with what a model computes now")
    .option('--against <url>', 'a server as for --url that has the right values')
    .option(
      '--endpoint <url>',
      'the HTTP endpoint of a model, to which each key is posted; docs/CLI.md has the contract',
    )
    .option(
      '--body <template>',
      'what is posted: {key} and {rest} become the key, whole or behind --prefix',
      '{"key":{key}}',
    )
    .option(
      '--pointer <path>',
      'where the value is in the JSON that the endpoint answers, such as /data/0/embedding',
      '',
    )
    .option('--endpoint-timeout <duration>', 'how long to wait for an answer of the endpoint', '30s')
    .addOption(new Option('--as <form>', 'what values are').choices(FORMS).default('bytes'))
    .option('--tolerance <number>', 'by how much numbers may differ; default: 1e-5 for float32, 0 for json')
    .option('--sample <number>', 'how many keys', '100')
    .option('--seed <number>', 'draws the keys that a run with this seed drew')
    .option('--prefix <text>', 'only keys that begin so', '')
    .option('--max-difference <share>', 'end with 1 if a greater share differs', '0')
    .option('--absent-differs', 'a key that the other side does not have counts as a difference')
    .option('--concurrency <number>', 'how many keys are compared at a time', '4')
    .option('--show <number>', 'how many differences to print', '10');
  return withServer(withKeyspace(command)).action(run);
}

interface Options {
  readonly form: Form;
  readonly tolerance: number;
  readonly sample: number;
  readonly seed: number;
  readonly prefix: string;
  readonly maxDifference: number;
  readonly absentDiffers: boolean;
  readonly concurrency: number;
  readonly show: number;
}

async function run(given: Given): Promise<void> {
  const options = optionsOf(given);
  const reference = await referenceOf(given);
  try {
    await onServer(given, (client) =>
      untilInterrupted(async (signal) => {
        const outcome = await compared(client, reference, options, signal);
        tell(client, reference, given, options, outcome);
      }),
    );
  } finally {
    reference.close();
  }
}

function optionsOf(given: Given): Options {
  const { against, endpoint, as: form, tolerance, seed } = given;
  if ((against === undefined) === (endpoint === undefined)) throw misuse('say either --against or --endpoint');
  return {
    form,
    tolerance: tolerance === undefined ? TOLERANCES[form] : amountOption('--tolerance', Number(tolerance)),
    sample: countOption('--sample', Number(given.sample), 1, 10_000_000),
    seed: seed === undefined ? Math.floor(Math.random() * SEED_MAX) : countOption('--seed', Number(seed), 0, SEED_MAX),
    prefix: given.prefix,
    maxDifference: amountOption('--max-difference', Number(given.maxDifference), 0, 1),
    absentDiffers: given.absentDiffers ?? false,
    concurrency: countOption('--concurrency', Number(given.concurrency), 1, 256),
    show: countOption('--show', Number(given.show), 0, 1_000_000),
  };
}

async function referenceOf(given: Given): Promise<Reference> {
  const { serverReference, endpointReference } = await import('./verify-references.js');
  if (given.against !== undefined) return await serverReference(given.against, given);
  const url = URL.canParse(given.endpoint!) ? new URL(given.endpoint!) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw misuse('--endpoint: expected http://… or https://…');
  if (url.username !== '' || url.password !== '') throw misuse(`--endpoint: a password is said in ${ENDPOINT_TOKEN}`);
  if (given.pointer !== '' && !given.pointer.startsWith('/')) throw misuse('--pointer: expected / at its beginning');
  return endpointReference({
    url,
    body: given.body,
    prefix: given.prefix,
    pointer: given.pointer,
    form: given.as,
    timeoutMs: durationOption('--endpoint-timeout', given.endpointTimeout, 1, 2 ** 31 - 1),
    token: process.env[ENDPOINT_TOKEN] || undefined,
  });
}

// ---- The work

interface Found {
  readonly key: Buffer;
  readonly difference: Difference | { readonly what: 'absent' };
}

interface Outcome {
  /** Keys in the cache, of which the sample was drawn; and of the sample: how many were looked at. */
  readonly keys: number;
  looked: number;
  same: number;
  readonly different: Found[];
  /** The other side has none. */
  absent: number;
  /** It went from the cache, or was changed, meanwhile. */
  changed: number;
  /** What the other side would have is not known, by the reason. */
  readonly failed: Map<string, number>;
  interrupted: boolean;
}

async function compared(
  client: RespClient,
  reference: Reference,
  options: Options,
  signal: AbortSignal,
): Promise<Outcome> {
  const progress = new Progress();
  const sample = new KeySample(options.sample, options.seed);
  const pattern = `${options.prefix.replace(/[\\*?[\]^-]/g, '\\$&')}*`;
  try {
    for await (const keys of scanned(client, pattern)) {
      for (const key of keys) sample.add(key);
      progress.tell(() => `${grouped(sample.seen)} keys`);
      if (signal.aborted) break;
    }
    const keys = sample.drawn();
    const outcome: Outcome = {
      keys: sample.seen,
      looked: 0,
      same: 0,
      different: [],
      absent: 0,
      changed: 0,
      failed: new Map(),
      interrupted: false,
    };
    let next = 0;
    const work = async () => {
      while (next < keys.length && !signal.aborted) {
        await compareOne(keys[next++]!, client, reference, options, outcome);
        outcome.looked++;
        progress.tell(() => `${grouped(outcome.looked)} of ${grouped(keys.length)} compared`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(options.concurrency, keys.length) }, work));
    outcome.interrupted = signal.aborted;
    return outcome;
  } finally {
    progress.clear();
  }
}

async function compareOne(
  key: Buffer,
  client: RespClient,
  reference: Reference,
  options: Options,
  outcome: Outcome,
): Promise<void> {
  const cached = await valueIn(client, key);
  if (cached === null) {
    outcome.changed++;
    return;
  }
  let right = await reference.valueOf(key);
  let difference = judged(cached, right, options);
  if (difference !== undefined && reference.cheap) {
    right = await reference.valueOf(key);
    difference = judged(cached, right, options);
  }
  const failed = right === 'absent' || Buffer.isBuffer(right) ? undefined : right.failed;
  // What differs must still be what the cache holds.
  if (difference !== undefined && !(await valueIn(client, key))?.equals(cached)) outcome.changed++;
  else if (failed !== undefined) outcome.failed.set(failed, (outcome.failed.get(failed) ?? 0) + 1);
  else if (right === 'absent' && !options.absentDiffers) outcome.absent++;
  else if (difference === undefined) outcome.same++;
  else outcome.different.push({ key, difference });
}

async function valueIn(client: RespClient, key: Buffer): Promise<Buffer | null> {
  return (await client.call('GET', key)) as Buffer | null;
}

/** Undefined: they are the same, or it is not known. */
function judged(cached: Buffer, right: Answer, { form, tolerance }: Options): Found['difference'] | undefined {
  if (right === 'absent') return { what: 'absent' };
  return Buffer.isBuffer(right) ? differenceOf(form, cached, right, tolerance) : undefined;
}

// ---- What is told

function tell(
  client: RespClient,
  reference: Reference,
  given: Given,
  { seed, show, maxDifference }: Options,
  outcome: Outcome,
): void {
  const { keys, same, different, absent, changed, failed, interrupted } = outcome;
  const count = same + different.length;
  const share = count === 0 ? null : different.length / count;
  const between = shareBetween(different.length, count);
  const known = [...failed].map(([reason, times]) => ({ reason, times }));
  const failures = known.reduce((sum, { times }) => sum + times, 0);
  if (given.json)
    printJson({
      server: client.shown,
      reference: reference.shown,
      ...{ keys, seed, compared: count, same, different: different.length, absent, changed, failed: failures },
      ...{ differenceShare: share, confidence95: between, maxDifference, interrupted },
      differences: different.slice(0, show).map(({ key, difference }) => ({ key: jsonOf(key), ...difference })),
      failures: known,
    });
  else {
    printPairs([
      ['compared', `${grouped(count)} of ${grouped(keys)} keys, seed ${seed}`],
      ['with', shown(reference.shown)],
      ['same', grouped(same)],
      ['different', `${grouped(different.length)}${share === null ? '' : rateText(share, between)}`],
      ...(absent > 0 ? [['absent', `${grouped(absent)} that the other side does not have`] as const] : []),
      ...(changed > 0 ? [['changed', `${grouped(changed)} while they were compared`] as const] : []),
      ...known.map(({ reason, times }) => ['failed', `${grouped(times)}: ${shown(reason)}`] as const),
    ]);
    if (different.length > 0 && show > 0) print('');
    for (const { key, difference } of different.slice(0, show)) print(`${shown(key)}: ${wordsFor(difference)}`);
    if (different.length > show) print(`and ${grouped(different.length - show)} more`);
  }
  const why = interrupted
    ? 'stopped before the end'
    : share === null
      ? 'nothing could be compared'
      : share > maxDifference
        ? `${percent(share)} of the values differ`
        : undefined;
  if (why !== undefined) throw new NotThere(given.json ? '' : why);
}

function rateText(share: number, [least, most]: Range): string {
  return `, ${percent(share)}; of all keys ${percent(least)} to ${percent(most)} (95 %)`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

function wordsFor(difference: Found['difference']): string {
  switch (difference.what) {
    case 'absent':
      return 'the other side does not have it';
    case 'length':
      return `${difference.cached} bytes are cached, right are ${difference.reference}`;
    case 'byte':
      return `from byte ${difference.at}, ${difference.cached} is cached, right is ${difference.reference}`;
    case 'unreadable':
      return difference.side === 'cached' ? 'what is cached is unreadable' : 'the other side is unreadable';
    case 'member': {
      const { path, cached, reference } = difference;
      return `${path === '' ? '' : `at ${shown(path)}, `}${shown(cached)} is cached, right is ${shown(reference)}`;
    }
    case 'numbers': {
      const { count, of, at, cached, reference } = difference;
      return `${count} of ${of} numbers; most at ${at}: ${cached} is cached, right is ${reference}`;
    }
  }
}
