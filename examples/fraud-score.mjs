// Fraud scores, each shared for 30 s by all who ask about the same context, and computed once however many ask at once.
//
// Why a live score may be up to 30 s old:
//   - it is no older than what it is made of: counts of payments and the standing of devices reach the model in steps of 30 s
//   - who asks twice within seconds asks about one payment: a retry, a double click, the ledger after the authorisation. They
//     should hear one score, and with two computations they might not
//   - it does not decide alone: blocked cards and limits are looked up for each request, and never cached
//   - the 30 s count from when it was stored, hits do not prolong them; and what is learned meanwhile (a report of fraud)
//     deletes the score at once, also one that is just being computed
// Where one of these does not hold, take a shorter `ttl`, or `cache: 'reload'` for the request that must know.
//
//   node examples/fraud-score.mjs [TTL]       with a TTL such as 100ms, shows how a score ends after it

import { setTimeout as sleep } from 'node:timers/promises';
import { json, open } from 'zerohop';

const LIVE_TTL = '30s';

const cache = open({ maxBytes: '64MB' });
const reported = new Set();

/** One bank's scores. What is its own alone, is its scope: no other is ever served from it, whatever the context. */
const scoresOf = (bank, terms) =>
  cache.model({
    name: 'fraud',
    version: '7',
    scope: bank,
    ttl: LIVE_TTL,
    codec: json,
    // What differs between requests about one payment, and does not change its score.
    fingerprint: { exclude: ['requestId', 'receivedAt'] },
    run: async (contexts) => contexts.map(scoreOf),
    ...terms,
  });

/** The same model where reasons are wanted: with other `params`, its results never stand for the plain scores. */
const explainedOf = (bank) =>
  scoresOf(bank, {
    params: { reasons: true },
    run: async (contexts) => contexts.map((context) => ({ score: scoreOf(context), reasons: reasonsOf(context) })),
  });

/** Stands in for the model: 0 to 1, by what speaks against the payment. */
function scoreOf(context) {
  const WEIGHTS = { reported: 0.9, 'new device': 0.2, 'far from home': 0.3, 'large amount': 0.25 };
  return Math.min(
    1,
    reasonsOf(context).reduce((sum, reason) => sum + WEIGHTS[reason], 0),
  );
}

function reasonsOf({ device, deviceAgeDays, country, home, amountCents }) {
  return [
    ...(reported.has(device) ? ['reported'] : []),
    ...(deviceAgeDays < 7 ? ['new device'] : []),
    ...(country !== home ? ['far from home'] : []),
    ...(amountCents > 100_000 ? ['large amount'] : []),
  ];
}

let requests = 0;
const asked = (context) => ({ ...context, requestId: ++requests, receivedAt: new Date(requests) });
const payment = {
  account: 'AT-1',
  device: 'd-77',
  deviceAgeDays: 2,
  country: 'PT',
  home: 'AT',
  amountCents: 120_000,
};
const harmless = { ...payment, deviceAgeDays: 900, country: 'AT', amountCents: 990 };

const scores = scoresOf('first bank');
const computedBy = async (model, context) => {
  const before = model.stats().computed;
  const score = await model.predict(asked(context));
  return { score, computed: model.stats().computed - before };
};

const crowd = await Promise.all(Array.from({ length: 32 }, () => scores.predict(asked(payment))));
const { runs, joined, computed } = scores.stats();
const facts = {
  crowd: { runs, joined, computed, scores: [...new Set(crowd)] },
  again: await computedBy(scores, payment),
  otherAmount: await computedBy(scores, { ...payment, amountCents: 90_000 }),
  otherBank: await computedBy(scoresOf('second bank'), payment),
  explained: await computedBy(explainedOf('first bank'), payment),
  // A score of 0 is a score: it is stored and served as any other.
  zero: [await computedBy(scores, harmless), await computedBy(scores, harmless)],
};

// Fraud by this device is reported: the next request must not hear of the old score.
reported.add(payment.device);
facts.forgotten = scores.delete(payment);
facts.afterReport = await computedBy(scores, payment);

const [ttl] = process.argv.slice(2);
if (ttl !== undefined) {
  const shortLived = scoresOf('first bank', { ttl, domain: 'expiry' });
  const before = await computedBy(shortLived, harmless);
  while (shortLived.peek(harmless) !== undefined) await sleep(5);
  facts.expiry = [before, await computedBy(shortLived, harmless)];
}
console.log(JSON.stringify(facts));
cache.close();
