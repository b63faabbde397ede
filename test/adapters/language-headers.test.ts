// Which headers of a call of the AI SDK say who asks: these count, and others do not.
import { describe, expect, test } from 'vitest';
import { PARAMS, wrapped } from '../fixtures/language.js';
import { anything, openCache } from '../fixtures/opened.js';

/** How often the model is asked for two calls with other values of a header. */
async function asked(one: object, other: object): Promise<number> {
  const { model, calls } = wrapped(openCache());
  await model.doGenerate({ ...PARAMS, headers: anything(one) });
  await model.doGenerate({ ...PARAMS, headers: anything(other) });
  return calls.length;
}

describe('callers share no answer', () => {
  test.each([
    'cf-aig-authorization',
    'Ocp-Apim-Subscription-Key',
    'x-functions-key',
    'x-token',
    'private-token',
    'X-Vault-Token',
    'helicone-auth',
    'x-auth',
    'x-access-key',
    'x-secret-key',
    'cf-access-client-secret',
    'x-password',
    'apikey',
    'x-accesstoken',
    'token',
  ])('if they have other values of the header %s', async (name) => {
    expect(await asked({ [name]: 'one' }, { [name]: 'two' })).toBe(2);
    expect(await asked({ [name]: 'one' }, { [name.toUpperCase()]: 'one' })).toBe(1);
  });

  test('if they have other credentials in an instance of Headers', async () => {
    const of = (authorization: string, at: string) => new Headers({ authorization, traceparent: at });
    expect(await asked(of('one', '1'), of('two', '1'))).toBe(2);
    expect(await asked(of('one', '1'), of('one', '2'))).toBe(1);
    expect(await asked(of('one', '1'), { Authorization: 'one' })).toBe(1);
  });
});

describe('callers share an answer', () => {
  test.each([
    'idempotency-key',
    'x-idempotency-key',
    'Idempotent-Key',
    'x-trace-key',
    'x-correlation-token',
    'cf-aig-cache-key',
    'traceparent',
    'x-request-id',
    'x-monkey',
    'author',
    'entries',
  ])('if they have other values of the header %s', async (name) => {
    expect(await asked({ [name]: 'one' }, { [name]: 'two' })).toBe(1);
  });
});
