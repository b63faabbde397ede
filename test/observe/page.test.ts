// The dashboard page in a browser: Chromium, of the system. ZEROHOP_PICTURES=folder keeps pictures of it.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Cache, json, open, PUBLIC, serve, utf8 } from 'zerohop';
import { type Dashboard, type DashboardOptions, serveDashboard } from 'zerohop/dashboard';
import { addUpstreams } from '../../dist/cache/upstreams.js';
import { openCache } from '../fixtures/opened.js';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
const QUIET = ['--disable-background-networking', '--disable-component-update'];
const hasChromium = existsSync(CHROMIUM);

let browser: Browser;

beforeAll(async () => {
  expect(hasChromium || process.env['CI'] === undefined, 'chromium is missing').toBe(true);
  if (!hasChromium) return console.warn('NOT TESTED: chromium is missing');
  browser = await chromium.launch({ executablePath: CHROMIUM, args: [...ARGUMENTS, ...QUIET] });
});
afterAll(() => browser?.close());

async function dashboardOf(cache: Cache, options: DashboardOptions = {}): Promise<Dashboard> {
  const one = await serveDashboard(cache, { port: 0, ...options });
  onTestFinished(() => one.close());
  return one;
}

/** A page that shows the dashboard, once it is live. What goes wrong in it fails the test. */
async function opened(url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const wrong: string[] = [];
  const asked: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('request', (request) => asked.push(new URL(request.url()).host));
  onTestFinished(() => {
    expect(wrong).toEqual([]);
    expect(new Set(asked)).toEqual(new Set([new URL(url).host])); // nobody else is asked
  });
  await page.goto(url);
  await page.waitForSelector('#status[data-state="live"]');
  await page.waitForSelector('#tiles .figure');
  return page;
}

/** Keeps a picture, where somebody wants to look at it. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env['ZEROHOP_PICTURES'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

/** A cache that was used: keyspaces, a model, a server. */
async function busyCache(): Promise<Cache> {
  const cache = openCache({ maxBytes: '8MB' });
  const server = serve(cache, { port: 0 });
  onTestFinished(() => server.close());
  const client = await createClient({ url: server.addresses[0]! }).connect();
  onTestFinished(() => client.destroy());
  for (const [i, name] of ['sessions', 'users', 'features'].entries()) {
    const keyspace = cache.keyspace(name, { codec: json });
    keyspace.set('k', i);
    for (let n = 0; n < 1000 - 300 * i; ++n) keyspace.get(n % 10 === 0 ? 'absent' : 'k');
  }
  const run = async (all: number[]) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return all;
  };
  const model = cache.model({ name: 'minilm', version: '1', scope: PUBLIC, codec: json, run });
  for (let n = 0; n < 100; ++n) await model.predict(n % 4);
  await Promise.all(Array.from({ length: 640 }, (_, i) => client.set(`${i}`, 'value')));
  return cache;
}

const PRICED: DashboardOptions = { money: { otherwise: { usdPerHour: 3600 } }, name: 'embeddings' };
// biome-ignore lint/performance/useDomNodeTextContent: what is seen, line by line
const textOf = (page: Page, selector: string) => page.locator(selector).innerText();
/** Texts of a table's cells, row by row. */
const rowsOf = (page: Page, selector: string) =>
  page
    .locator(`${selector} tbody tr`)
    .evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));

describe.skipIf(!hasChromium)('the page', () => {
  test('shows what the cache does, large figures first, and goes on by itself', async () => {
    const cache = await busyCache();
    const page = await opened((await dashboardOf(cache, PRICED)).url);
    const tiles = await page.locator('#tiles dt').allInnerTexts();
    expect(tiles.slice(0, 5)).toEqual(['Hit rate', 'Lookups/s', 'Model run, p99', 'GPU time saved', 'Money saved']);
    expect(await textOf(page, '#cache')).toBe('embeddings');
    expect((await rowsOf(page, '#keyspaces')).map(([name]) => name)).toContain('sessions');
    const [[name, , saved, hitRate, hits]] = (await rowsOf(page, '#models')) as [string[]];
    expect([name, hitRate, hits]).toEqual(['minilm', '96.0\u202f%', '96']);
    expect(saved).toMatch(/^\$1\.\d\d$|^\$2\.\d\d$/);
    expect((await rowsOf(page, '#commands .scroll:nth-of-type(2)')).map(([name]) => name)).toContain('set');
    expect(await page.locator('#upstreams').isVisible()).toBe(false);
    for (let i = 0; i < 5000; ++i) cache.get('absent');
    await page.waitForFunction(() => /\d/.test(document.querySelector('#tiles .figure')!.textContent!));
    await page.waitForFunction(() => document.querySelectorAll('.legend .value')[0]!.textContent === '0.0\u202f%');
    await picture(page, 'busy');
  });

  test('of an empty cache says that there is nothing yet', async () => {
    const page = await opened((await dashboardOf(openCache())).url);
    expect(await textOf(page, '#tiles > div:first-child')).toBe('Hit rate\n–\nnothing was looked up yet');
    expect(await textOf(page, '#keyspaces')).toContain('No keyspace holds');
    expect(await page.locator('.empty:visible').allInnerTexts()).toContain('Nothing was timed in this time.');
    for (const id of ['#models', '#commands', '#upstreams']) expect(await page.locator(id).isVisible()).toBe(false);
    await picture(page, 'empty');
  });

  test('shows names as text, whatever they are', async () => {
    const cache = openCache();
    const hostile = '<img src=x onerror="document.title=1">';
    for (const name of [
      hostile,
      '</script><script>document.title=2</script>',
      'gnp\u202eexe',
      '\u0000\u0007\u001b[31m',
      '&lt;',
    ])
      cache.keyspace(name, { codec: utf8 }).set('k', 'v');
    const run = (all: number[]) => all;
    await cache.model({ name: hostile, version: '1', scope: PUBLIC, codec: json, run }).predict(1);
    const page = await opened((await dashboardOf(cache, { name: hostile })).url);
    const names = (await rowsOf(page, '#keyspaces')).map(([name]) => name);
    for (const name of [hostile, '</script><script>document.title=2</script>', 'gnp\\u{202e}exe', '&lt;'])
      expect(names).toContain(name);
    expect((await rowsOf(page, '#models'))[0]![0]).toBe(hostile);
    expect(await textOf(page, '#cache')).toContain(hostile);
    expect(await page.title()).toBe('zerohop');
    expect(await page.locator('main img, main script, h1 img').count()).toBe(0);
    await picture(page, 'hostile');
  });

  test('has a section for upstreams while there is one, whose health is said in words', async () => {
    const cache = openCache();
    const state = { name: 'redis://10.0.0.9', healthy: true, state: '', requests: 0, errors: 0 };
    const remove = addUpstreams(cache, () => [state]);
    const page = await opened((await dashboardOf(cache)).url);
    expect((await rowsOf(page, '#upstreams'))[0]!.slice(0, 2)).toEqual(['redis://10.0.0.9', '✓ answers']);
    Object.assign(state, { healthy: false, state: 'no answer for 3 s' });
    await page.waitForSelector('text=✕ does not answer: no answer for 3 s');
    remove();
    await page.waitForSelector('#upstreams', { state: 'hidden' });
  });

  test.each([
    ['light', 360],
    ['dark', 360],
    ['dark', 1280],
  ] as const)('fits, %s, at %i pixels, and can be read', async (colorScheme, width) => {
    const dashboard = await dashboardOf(await busyCache(), PRICED);
    const page = await opened(dashboard.url, { colorScheme, viewport: { width, height: 800 } });
    await page.waitForTimeout(2500);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBe(width);
    expect(await page.evaluate(worstContrast)).toBeGreaterThanOrEqual(4.5);
    expect(await page.evaluate(worstLine)).toBeGreaterThanOrEqual(3);
    await picture(page, `${colorScheme}-${width}`);
  });

  test('is for the keyboard: from the first stop to the last, each is seen, and tables scroll', async () => {
    const page = await opened((await dashboardOf(await busyCache(), PRICED)).url, {
      viewport: { width: 360, height: 800 },
    });
    await page.keyboard.press('Tab');
    expect(await focused(page)).toMatchObject({ name: 'Skip to the figures', inView: true, outlined: true });
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement!.id)).toBe('figures');
    await page.locator('#pause').focus();
    await page.keyboard.press('Space');
    await page.waitForSelector('#status[data-state="paused"]');
    expect(await page.locator('#pause').getAttribute('aria-pressed')).toBe('true');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#status[data-state="live"]');
    const names: string[] = [];
    for (let i = 0; i < 20; ++i) {
      await page.keyboard.press('Tab');
      const { name, inView, outlined } = await focused(page);
      if (name === '') break;
      expect([name, inView, outlined]).toEqual([name, true, true]);
      names.push(name);
    }
    expect(names).toContain('Table: Hit rate');
    expect(names).toContain('By lookups in the last minute');
    expect(names.at(-1)).toBe('Metrics for Prometheus');
    await page.locator('summary').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('figure:first-of-type tbody tr'); // the browser tells of the opening a moment later
    expect((await rowsOf(page, 'figure:first-of-type'))[0]![0]).toMatch(/^\d\d:\d\d:\d\d$/);
  });

  test('tells a screen reader what a picture shows, has landmarks and headings, and no table without a caption', async () => {
    const page = await opened((await dashboardOf(await busyCache(), PRICED)).url);
    await page.waitForSelector('.plot[aria-label*="pinned between"]');
    const tree = await page.locator('body').ariaSnapshot();
    for (const part of [
      '- banner:',
      '- main:',
      '- contentinfo:',
      '- status: Live',
      '- heading "Hottest keyspaces" [level=2]',
    ])
      expect(tree).toContain(part);
    expect(tree).toMatch(/- img "Memory by kind of the last five minutes\. live between .*, last .*; pinned between/);
    expect(tree).toMatch(/- region "Hottest keyspaces"/);
    expect(tree).not.toMatch(/- (table|region|figure|button|img)(:|$)/m); // each has a name
    expect(await page.locator('[aria-live], [role=status]').count()).toBe(1); // figures are not read out
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
  });

  test('says when the line is lost, and comes back with what was seen before', async () => {
    const cache = openCache();
    cache.get('absent');
    const first = await serveDashboard(cache, { port: 0 });
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(first.url);
    await page.waitForSelector('#status[data-state="live"]');
    await first.close();
    await page.waitForSelector('#status[data-state="lost"]');
    expect(await textOf(page, '#status')).toMatch(/^No connection; next try in \d+ s$/);
    expect(await page.locator('body').getAttribute('class')).toBe('stale');
    await dashboardOf(cache, { port: Number(new URL(first.url).port) });
    await page.waitForSelector('#status[data-state="live"]');
    expect(await page.locator('body').getAttribute('class')).toBe('');
  });

  test('asks for the password, and shows nothing without', async () => {
    const { url } = await dashboardOf(openCache(), { password: 'known' });
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    expect((await page.goto(url).catch(() => null))?.status() ?? 401).toBe(401);
    expect(await page.locator('#tiles').count()).toBe(0);
    await opened(url, { httpCredentials: { username: '', password: 'known' } });
  });

  test('moves less for who asks for it', async () => {
    const cache = openCache();
    const page = await opened((await dashboardOf(cache)).url, { reducedMotion: 'reduce' });
    expect(await page.evaluate(() => getComputedStyle(document.querySelector('.bar > span')!).transitionDuration)).toBe(
      '0s',
    );
  });

  test('is still right after the cache was closed: it says that nothing comes', async () => {
    const cache = open({ maxBytes: '4MB' });
    const page = await opened((await dashboardOf(cache)).url);
    cache.close();
    await page.waitForSelector('#status[data-state="lost"]');
    expect(await page.locator('#tiles').isVisible()).toBe(true);
  });
});

/** What has the focus: '' for the page itself. */
function focused(page: Page) {
  return page.evaluate(() => {
    const element = document.activeElement as HTMLElement;
    if (element === document.body) return { name: '', inView: true, outlined: true };
    const labelled = element.getAttribute('aria-labelledby');
    const name = labelled === null ? element.textContent! : document.getElementById(labelled)!.textContent!;
    const { top, bottom, width } = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return {
      name,
      inView: width > 0 && bottom > 0 && top < innerHeight,
      outlined: style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2,
    };
  });
}

/** The least contrast of a text that is seen to what is behind it. Runs in the page. */
function worstContrast(): number {
  const luminance = ([r, g, b]: number[]) => {
    const [x, y, z] = [r, g, b].map((one) => {
      const part = one! / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x! + 0.7152 * y! + 0.0722 * z!;
  };
  const rgb = (colour: string) => colour.match(/[\d.]+/g)!.map(Number);
  const behind = (element: Element | null): number[] => {
    for (let one = element; one !== null; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let worst = 21;
  for (const element of document.querySelectorAll<HTMLElement>('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent!.trim() !== '');
    if (!own || element.offsetParent === null) continue;
    const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))];
    worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return worst;
}

/** The least contrast of a line of a legend, which is that of its chart, to what is behind it. Runs in the page. */
function worstLine(): number {
  const luminance = (colour: string) => {
    const [x, y, z] = colour.match(/[\d.]+/g)!.map((one) => {
      const part = Number(one) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x! + 0.7152 * y! + 0.0722 * z!;
  };
  const card = luminance(getComputedStyle(document.querySelector('figure')!).backgroundColor);
  const lines = [...document.querySelectorAll('.legend line')].map((line) => luminance(getComputedStyle(line).stroke));
  return Math.min(...lines.map((line) => (Math.max(line, card) + 0.05) / (Math.min(line, card) + 0.05)));
}
