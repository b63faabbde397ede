// What node:diagnostics_channel tells of runs of models.
import { tracingChannel } from 'node:diagnostics_channel';
import { expect, onTestFinished, test } from 'vitest';
import { json, PUBLIC, type RunEvent } from 'zerohop';
import { openCache } from '../fixtures/opened.js';

/** What the channel tells until the test ends. */
function told(): { what: string; event: RunEvent }[] {
  const messages: { what: string; event: RunEvent }[] = [];
  const put = (what: string) => (event: RunEvent) => void messages.push({ what, event });
  const subscribers = {
    start: put('start'),
    end: put('end'),
    asyncStart: put('asyncStart'),
    asyncEnd: put('asyncEnd'),
    error: put('error'),
  };
  const channel = tracingChannel<RunEvent>('zerohop:run');
  channel.subscribe(subscribers as never);
  onTestFinished(() => void channel.unsubscribe(subscribers as never));
  return messages;
}

function model(run: (inputs: number[]) => unknown) {
  return openCache().model<number, unknown>({ name: 'm', version: '2', scope: PUBLIC, codec: json, run: run as never });
}

test('a run is told from its start to its end, with how many inputs it has; a hit is not', async () => {
  const messages = told();
  const m = model((inputs) => inputs);
  await m.predictMany([1, 2, 3]);
  await m.predict(1);
  expect(messages.map(({ what }) => what)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
  expect(messages[0]!.event).toMatchObject({ model: 'm', version: '2', inputs: 3, awaited: 3 });
  expect(new Set(messages.map(({ event }) => event)).size).toBe(1);
});

test.each([
  ['throws', () => Promise.reject(new Error('no'))],
  ['gives too few results', () => []],
])('a run that %s is told with its error, and the caller gets the same', async (_, run) => {
  const messages = told();
  const error = await model(run)
    .predict(1)
    .catch((reason: unknown) => reason);
  expect(messages.map(({ what }) => what)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  expect(messages[2]!.event.error).toBe(error);
});
