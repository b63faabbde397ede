// Links over servers that answer what and when the test says.
import { channel } from 'node:diagnostics_channel';
import { expect, onTestFinished, test } from 'vitest';
import { ClusterLink } from '../../lib/tier/cluster-link.js';
import type { Link, Tracker } from '../../lib/tier/link.js';
import type { RedisPlace } from '../../lib/tier/redis.js';
import { Script } from '../../lib/tier/script.js';
import { ServerLink } from '../../lib/tier/server-link.js';
import { anything, turn, until } from '../fixtures/opened.js';

const WAITS = { timeoutMs: 5000, connectTimeoutMs: 5000, heartbeatMs: 20 };

/** As node-redis has what Redis answers with. */
class ErrorReply extends Error {}

type Answer = (command: readonly string[]) => Promise<unknown> | undefined;

/** A server that answers OK to what `answer` leaves open. */
function serverOf(shown: string, answer: Answer) {
  const client = {
    connect: async () => {},
    destroy: () => {},
    unref: () => {},
    on: () => {},
    sendCommand: (command: readonly string[]) => answer(command) ?? Promise.resolve('OK'),
  };
  const probe = { command: ['PROBE'], fault: () => undefined };
  return { shown, keyPrefix: '', probe, make: () => anything(client) } satisfies RedisPlace;
}

function trackedBy(link: Link): string[] {
  const changed: string[] = [];
  const tracker: Tracker = {
    prefix: Buffer.from('t:'),
    changed: (key) => void changed.push(key.toString()),
    forgetAll: () => {},
    forgetSome: async () => {},
    turned: () => {},
  };
  link.add(tracker);
  return changed;
}

test('a script that Redis was told to forget is run again, and its keys count as changed', async () => {
  const script = new Script('return 1');
  const sent: string[] = [];
  const place = serverOf('redis://fake', ([name]) => {
    if (name!.startsWith('EVAL')) sent.push(name!);
    return name === 'EVALSHA' ? Promise.reject(new ErrorReply('NOSCRIPT No matching script')) : undefined;
  });
  const link = new ServerLink(() => place, WAITS);
  onTestFinished(() => link.close());
  const changed = trackedBy(link);
  await link.ready();
  expect(await link.run(script, ['t:a', Buffer.from('t:b')], [])).toBe('OK');
  expect(sent).toEqual(['EVALSHA', 'EVAL']);
  expect(changed).toEqual(['a', 'b']);
});

/** Two nodes, of which the first has all slots but one. They answer at once, unless `answer` says how. */
async function cluster(
  answer: (port: number, command: readonly string[]) => Promise<unknown> | undefined,
  waits = WAITS,
) {
  const of = { owner: 1, sent: [] as string[] };
  const node = (port: number) =>
    serverOf(`redis://fake:${port}`, (command) => {
      const [name, what] = command;
      if (name === 'SET') of.sent.push(`${port}: ${what} ${command[2]}`);
      const slots = () => [
        [0, 16_382, ['fake', of.owner]],
        [16_383, 16_383, ['fake', 3 - of.owner]],
      ];
      return answer(port, command) ?? (name === 'CLUSTER' && what === 'SLOTS' ? Promise.resolve(slots()) : undefined);
    });
  const nodes = new Map([1, 2, 3].map((port) => [port, node(port)]));
  const link = new ClusterLink(
    {
      shown: 'redis://fake (cluster)',
      keyPrefix: '',
      seeds: [{ host: 'fake', place: nodes.get(1)! }],
      node: ({ port }) => nodes.get(port)!,
    },
    waits,
  );
  onTestFinished(() => link.close());
  await link.ready();
  expect(link.state).toBe('up');
  return { link, of };
}

test('writes of one key keep their order though its slot moves before the first one is answered', async () => {
  let refuse!: () => void;
  const moved = new Promise((_, reject) => {
    refuse = () => reject(new ErrorReply('MOVED 0 fake:2'));
  });
  let tables = 0;
  const { link, of } = await cluster((port, [name, what]) => {
    if (what === 'SLOTS') tables++;
    return port === 1 && name === 'SET' ? moved : undefined;
  });
  const set = (value: string) => link.call('a', ['SET', 'a', value]);
  const writes = [set('first')];
  of.owner = 2;
  const known = tables + 2;
  await until(() => tables >= known);
  await turn();
  writes.push(set('second'), set('third'));
  await turn();
  refuse();
  expect(await Promise.all(writes)).toEqual(['OK', 'OK', 'OK']);
  expect(of.sent).toEqual(['1: a first', '2: a first', '2: a second', '2: a third']);
});

test('a command that is sent on when its time is over is late, and not sent', async () => {
  const { link, of } = await cluster(
    (port, [name]) => {
      if (port === 3) return new Promise(() => {}); // it is never up
      return name === 'SET' ? Promise.reject(new ErrorReply('MOVED 0 fake:3')) : undefined;
    },
    { ...WAITS, timeoutMs: 100 },
  );
  await expect(link.call('a', ['SET', 'a', 'x'])).rejects.toMatchObject({ failure: 'late' });
  expect(link.counts.late).toBeGreaterThan(0);
  expect(of.sent).toEqual(['1: a x']);
});

test('one table that a node does not give makes nothing degraded while all nodes serve', async () => {
  const heard: unknown[] = [];
  const listener = (event: unknown) => void heard.push(event);
  channel('zerohop:degraded').subscribe(listener);
  onTestFinished(() => void channel('zerohop:degraded').unsubscribe(listener));
  let failures = 0;
  let isOpen = false;
  const { link } = await cluster((_port, [, what]) => {
    if (!isOpen || what !== 'SLOTS') return undefined;
    failures++;
    return Promise.reject(new ErrorReply('ERR no'));
  });
  isOpen = true;
  await until(() => failures > 2);
  expect(link.state).toBe('up');
  expect(heard).toEqual([]);
});
