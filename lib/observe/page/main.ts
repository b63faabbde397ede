// main.ts: the dashboard page. It is told everything once a second (stream.ts), keeps five minutes of it for the charts,
// and writes it down: tiles, charts, tables. A page that nobody looks at writes nothing; who asks for less motion gets
// new charts every five seconds.

import type { Point, Snapshot } from '../figures.js';
import { Chart } from './chart.js';
import { byId, setText } from './dom.js';
import { duration, percent, rate, shown, size, time } from './format.js';
import { keyspacesSection, modelsSection, reasonsSection, serverSection, upstreamSection } from './sections.js';
import { type State, Stream } from './stream.js';
import { Tiles } from './tiles.js';

const POINTS = 300;
const CALM_MS = 5000;

const charts = [
  new Chart({
    title: 'Hit rate',
    write: percent,
    tick: (share) => `${Math.round(share * 100)}\u202f%`,
    top: () => 1,
    empty: 'No lookups in this time.',
    lines: [{ title: 'hit rate', colour: '--hit', value: ({ hitRate }) => hitRate, isFilled: true }],
  }),
  new Chart({
    title: 'Lookups per second',
    write: rate,
    empty: 'No lookups in this time.',
    lines: [
      { title: 'hits', colour: '--hit', value: (point) => hitsOf(point), isFilled: true },
      { title: 'misses', colour: '--miss', value: (point) => missesOf(point), dash: [5, 3] },
    ],
  }),
  new Chart({
    title: 'Latency',
    write: time,
    empty: 'Nothing was timed in this time.',
    lines: [
      { title: 'p50', colour: '--hit', value: ({ p50 }) => p50 },
      { title: 'p99', colour: '--miss', value: ({ p99 }) => p99, dash: [5, 3] },
    ],
  }),
  new Chart({
    title: 'Memory by kind',
    write: (bytes) => (bytes === null ? '–' : size(bytes)),
    isBinary: true,
    top: (points) => Math.max(1, ...points.map(({ live, retired, free }) => live + retired + free)),
    empty: '',
    lines: [
      { title: 'live', colour: '--hit', value: ({ live }) => live, isFilled: true },
      { title: 'pinned', colour: '--miss', value: ({ retired }) => retired, dash: [5, 3] },
      { title: 'free', colour: '--third', value: ({ free }) => free, dash: [1.5, 3] },
      { title: 'fixed', colour: '--fourth', value: ({ fixed }) => fixed, dash: [9, 3, 2, 3] },
    ],
  }),
  new Chart({
    title: 'Entries that left, per second',
    write: rate,
    empty: 'Nothing left in this time.',
    lines: [
      { title: 'evicted', colour: '--miss', value: ({ capacity }) => capacity, isFilled: true },
      { title: 'over maxEntries', colour: '--fourth', value: ({ maxEntries }) => maxEntries, dash: [9, 3, 2, 3] },
      { title: 'expired', colour: '--hit', value: ({ expired }) => expired, dash: [5, 3] },
      { title: 'deleted', colour: '--third', value: ({ deleted }) => deleted, dash: [1.5, 3] },
    ],
  }),
];

function hitsOf({ lookups, hitRate }: Point): number | null {
  return lookups === null ? null : lookups * (hitRate ?? 0);
}
function missesOf({ lookups, hitRate }: Point): number | null {
  return lookups === null ? null : lookups * (1 - (hitRate ?? 0));
}

const reasons = reasonsSection();
byId('charts').append(...charts.map(({ element }) => element), reasons.element);
const tiles = new Tiles(byId('tiles'));
const sections = [reasons.show, keyspacesSection(), modelsSection(), serverSection(), upstreamSection()];

const calm = matchMedia('(prefers-reduced-motion: reduce)');
let points: Point[] = [];
let latest: Snapshot | undefined;
let chartsAt = Number.NEGATIVE_INFINITY;
let due = false;

function draw(): void {
  if (due || document.hidden) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    if (latest === undefined) return;
    tiles.show(latest);
    for (const show of sections) show(latest);
    setText(byId('cache'), latest.cache === 'default' ? '' : shown(latest.cache));
    setText(byId('about'), `up ${duration(Math.max(0, (latest.point.at - latest.startedAt) / 1000))}`);
    setText(byId('version'), `zerohop ${latest.version}.`);
    if (calm.matches && performance.now() < chartsAt + CALM_MS) return;
    chartsAt = performance.now();
    for (const chart of charts) chart.show(points);
  });
}

const WORDS: Record<State, string> = {
  connecting: 'Connecting',
  live: 'Live',
  lost: 'No connection',
  paused: 'Paused',
};

const stream = new Stream({
  history(past) {
    points = [...past];
    chartsAt = Number.NEGATIVE_INFINITY;
  },
  snapshot(snapshot) {
    latest = snapshot;
    const { at } = snapshot.point;
    if (at < (points.at(-1)?.at ?? 0)) points = []; // the clock went back
    if (at !== points.at(-1)?.at) points.push(snapshot.point);
    points = points.filter((point) => point.at > at - POINTS * 1000);
    draw();
  },
  state(state, seconds) {
    const status = byId('status');
    status.dataset['state'] = state;
    document.body.classList.toggle('stale', state === 'lost' || state === 'paused');
    setText(status, seconds === undefined ? WORDS[state] : `${WORDS[state]}; next try in ${seconds} s`);
  },
});

const pause = byId<HTMLButtonElement>('pause');
pause.addEventListener('click', () => {
  const pauses = pause.getAttribute('aria-pressed') !== 'true';
  pause.setAttribute('aria-pressed', `${pauses}`);
  if (pauses) stream.pause();
  else stream.open();
});

document.addEventListener('visibilitychange', draw);
for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)'])
  matchMedia(query).addEventListener('change', () => {
    for (const chart of charts) chart.redraw();
  });

stream.open();
