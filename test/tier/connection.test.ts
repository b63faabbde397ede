// One connection over a client whose replies come when the test says so.
import { setImmediate, setTimeout } from 'node:timers';
import { expect, onTestFinished, test } from 'vitest';
import { Asker } from '../../lib/tier/asker.js';
import { Connection, ConnectionCounts, type ConnectionOptions } from '../../lib/tier/connection.js';
import type { RedisClient } from '../../lib/tier/redis.js';
import { anything, turn } from '../fixtures/opened.js';

type Answer = (command: readonly string[]) => Promise<unknown> | undefined;

/** A client that answers OK to what `answer` leaves open. */
function clientOf(answer: Answer = () => undefined) {
  const sent: string[] = [];
  let isDestroyed = false;
  const client = {
    connect: async () => {},
    destroy: () => {
      isDestroyed = true;
    },
    unref: () => {},
    on: () => {},
    sendCommand: (command: readonly string[]) => {
      sent.push(command.join(' '));
      return answer(command) ?? Promise.resolve('OK');
    },
  };
  return { client: anything<RedisClient>(client), sent, isDestroyed: () => isDestroyed };
}

async function connectionOf(answer: Answer, options: Partial<ConnectionOptions> = {}, prefixes = ['t:']) {
  const counts = new ConnectionCounts();
  const { client, sent } = clientOf(answer);
  const waits = { timeoutMs: 1000, connectTimeoutMs: 1000, heartbeatMs: 60_000, ...options };
  const place = {
    shown: 'redis://fake',
    keyPrefix: '',
    make: () => client,
    probe: { command: ['PROBE'], fault: () => undefined },
  };
  const losses: string[] = [];
  const connection = new Connection(place, waits, counts, {
    prefixes: () => prefixes.map((prefix) => Buffer.from(prefix)),
    up: () => {},
    lost: (_of, reason) => void losses.push(reason),
    changed: () => {},
  });
  onTestFinished(() => connection.end());
  return { connection, counts, sent, losses };
}

test('a reply that comes while a call looks once more is not counted as late', async () => {
  const timeoutMs = 5;
  // The reply comes just before the look, in the same turn: both wait for the same timers.
  const replyInTime = () =>
    new Promise((resolve) => {
      setTimeout(() => setTimeout(() => setImmediate(() => resolve('value')), 0), timeoutMs);
    });
  const { connection, counts } = await connectionOf(([name]) => (name === 'GET' ? replyInTime() : undefined), {
    timeoutMs,
  });
  await connection.open();
  for (let i = 0; i < 5; ++i) expect(await connection.call([['GET', 'a']])).toBe('value');
  await turn();
  expect(counts.late).toBe(0);
  expect(connection.isUp).toBe(true);
});

test('a prefix that comes while the first probe is under way is tracked', async () => {
  const prefixes = ['t:'];
  let answerProbe!: (reply: string) => void;
  const probed = new Promise<string>((resolve) => {
    answerProbe = resolve;
  });
  const { connection, sent } = await connectionOf(([name]) => (name === 'PROBE' ? probed : undefined), {}, prefixes);
  const opening = connection.open();
  await turn();
  prefixes.push('later:');
  expect(connection.track(Buffer.from('later:'))).toBe(false); // it is not up
  answerProbe('OK');
  await opening;
  expect(connection.isUp).toBe(true);
  expect(sent.at(-1)).toBe('CLIENT TRACKING ON BCAST PREFIX t: PREFIX later: NOLOOP');
});

test('a server that answers other things is probed too, at each heartbeat', async () => {
  const { connection, sent } = await connectionOf(() => undefined, { heartbeatMs: 5 });
  await connection.open();
  const probes = () => sent.filter((command) => command === 'PROBE').length;
  while (probes() < 4) {
    await connection.call([['GET', 'a']]);
    await turn();
  }
});

test('an asker that is closed while its client is made leaves no connection open', async () => {
  const { client, isDestroyed } = clientOf();
  const asker = new Asker(() => client, 1000);
  const asked = asker.ask(['PING']);
  asker.close();
  await expect(asked).rejects.toThrow('given up');
  expect(isDestroyed()).toBe(true);
});
