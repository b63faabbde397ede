// chart.ts: one chart over the last five minutes: lines, what they stand for with their latest values, and the same as a
// table, which opens below it. Lines differ by their dashes too, not by colour alone.

import uPlot from 'uplot';
import type { Point } from '../figures.js';
import { make, newId, setText } from './dom.js';
import { timeOfDay } from './format.js';
import { Table } from './table.js';

export interface Line {
  readonly title: string;
  /** The CSS variable of its colour; with `-fill` behind it that of the area below. */
  readonly colour: string;
  readonly value: (point: Point) => number | null;
  readonly dash?: readonly number[];
  readonly isFilled?: boolean;
}

export interface ChartOptions {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly write: (value: number | null) => string;
  /** The numbers at the axis, if they are written otherwise. */
  readonly tick?: (value: number) => string;
  /** They are powers of two apart: bytes. */
  readonly isBinary?: boolean;
  /** The top of the scale, if it does not follow the lines. */
  readonly top?: (points: readonly Point[]) => number;
  /** What stands there while there is nothing. */
  readonly empty: string;
}

/** What the chart shows: five minutes, and at first as much as there is, but not less than one. */
const SPAN_S = 300;
const SPAN_S_MIN = 60;
/** Without a point for longer there is a gap. */
const GAP_MS = 5000;
const HEIGHT = 170;
/** From one byte to a terabyte. */
const POWERS = Array.from({ length: 41 }, (_, i) => 2 ** i);
/** Of the table behind the chart. */
const ROW_MS = 15_000;
const ROWS = 20;
const TABLE_EVERY_MS = 5000;

const variable = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name);

export class Chart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #plot: uPlot;
  readonly #picture: HTMLElement;
  readonly #empty: HTMLElement;
  readonly #values: HTMLElement[];
  readonly #table: Table;
  readonly #details: HTMLDetailsElement;
  #points: readonly Point[] = [];
  #drawn: readonly (Point | null)[] = [];
  #tableAt = 0;

  constructor(options: ChartOptions) {
    const { title, lines, empty } = options;
    this.#options = options;
    const id = newId();
    this.#values = lines.map(() => make('span', { class: 'value' }));
    const legend = make('ul', { class: 'legend' }, ...lines.map((line, i) => legendItem(line, this.#values[i]!)));
    this.#picture = make('div', { class: 'plot', role: 'img' });
    this.#empty = make('p', { class: 'empty' }, empty);
    this.#table = new Table(`${title}, every 15 seconds`, [
      { title: 'Time' },
      ...lines.map((line) => ({ title: line.title })),
    ]);
    this.#details = make('details', {}, make('summary', {}, 'Table', make('span', { class: 'unseen' }, `: ${title}`)));
    this.#details.append(this.#table.element);
    this.#details.addEventListener('toggle', () => this.#showTable(true));
    const plot = make('div', { class: 'frame' }, this.#picture, this.#empty);
    this.element = make('figure', { 'aria-labelledby': id }, make('figcaption', { id }, title));
    this.element.append(legend, plot, this.#details);
    this.#plot = new uPlot(this.#settings(), [[], ...lines.map(() => [])], this.#picture);
    new ResizeObserver(() => this.#fit()).observe(this.#picture);
  }

  show(points: readonly Point[]): void {
    this.#points = points;
    this.#drawn = withGaps(points);
    const { lines } = this.#options;
    const columns = lines.map(({ value }) => this.#drawn.map((point) => (point === null ? null : value(point))));
    let last = 0;
    const times = this.#drawn.map((point) => {
      last = point === null ? last + 0.001 : point.at / 1000;
      return last;
    });
    this.#plot.setData([times, ...columns] as uPlot.AlignedData);
    this.#empty.hidden = columns.some((column) => column.some((value) => value !== null));
    this.#showValues();
    this.#describe();
    this.#showTable(false);
  }

  /** The colours may be others now. */
  redraw(): void {
    this.#plot.redraw(false);
  }

  /** The latest values, or those where the pointer is. */
  #showValues(): void {
    const { lines, write } = this.#options;
    const at = this.#plot.cursor.idx;
    const point = (at === null || at === undefined ? undefined : this.#drawn[at]) ?? this.#points.at(-1);
    for (const [i, { value }] of lines.entries()) setText(this.#values[i]!, write(point ? value(point) : null));
  }

  /** For who does not see it. */
  #describe(): void {
    const { title, lines, write } = this.#options;
    const parts = lines.map(({ title: of, value }) => {
      const values = this.#points.flatMap((point) => value(point) ?? []);
      if (values.length === 0) return `${of}: nothing yet`;
      const [least, most] = [Math.min(...values), Math.max(...values)];
      return `${of} between ${write(least)} and ${write(most)}, last ${write(values.at(-1)!)}`;
    });
    this.#picture.setAttribute('aria-label', `${title} of the last five minutes. ${parts.join('; ')}.`);
  }

  #showTable(now: boolean): void {
    if (!this.#details.open || (!now && performance.now() < this.#tableAt + TABLE_EVERY_MS)) return;
    this.#tableAt = performance.now();
    const { lines, write } = this.#options;
    const rows: string[][] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const point of [...this.#points].reverse()) {
      if (point.at > next || rows.length === ROWS) continue;
      rows.push([timeOfDay(point.at), ...lines.map(({ value }) => write(value(point)))]);
      next = point.at - ROW_MS;
    }
    this.#table.show(rows);
  }

  #fit(): void {
    this.#plot.setSize({ width: this.#picture.clientWidth, height: HEIGHT });
  }

  #settings(): uPlot.Options {
    const { lines, write, tick = write, top, isBinary } = this.#options;
    const axis = {
      stroke: () => variable('--muted'),
      font: `11px ${variable('--font') || 'sans-serif'}`,
      ticks: { show: false },
    };
    const grid = { stroke: () => variable('--line'), width: 1 };
    return {
      width: 300,
      height: HEIGHT,
      legend: { show: false },
      cursor: {
        sync: { key: 'zerohop' },
        drag: { setScale: false, x: false, y: false },
        y: false,
        points: { size: 6 },
      },
      scales: {
        x: { time: true, range: (_, least, most) => spanOf(least, most) },
        y: { range: (_, __, most) => [0, top?.(this.#points) ?? (most > 0 ? most * 1.15 : 1)] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 30, gap: 9, space: 80, values: (_, all) => all.map(clockOf) },
        {
          ...axis,
          grid,
          size: 62,
          gap: 6,
          space: 36,
          values: (_, values) => values.map(tick),
          ...(isBinary && { incrs: POWERS }),
        },
      ],
      series: [
        {},
        ...lines.map(({ colour, dash, isFilled, title: label }) => ({
          label,
          stroke: () => variable(colour),
          width: 1.75,
          points: { show: false },
          ...(dash && { dash: [...dash] }),
          ...(isFilled && { fill: () => variable(`${colour}-fill`) }),
        })),
      ],
      hooks: { setCursor: [() => this.#showValues()] },
    };
  }
}

const clockOf = (seconds: number): string => timeOfDay(seconds * 1000).replace(/:00$/, '');

function spanOf(first: number | null, last: number | null): [number, number] {
  const end = last ?? Date.now() / 1000;
  return [Math.max(end - SPAN_S, Math.min(first ?? end, end - SPAN_S_MIN)), end];
}

function legendItem({ title, colour, dash }: Line, value: HTMLElement): HTMLElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
  svg.setAttribute('viewBox', '0 0 22 4');
  svg.setAttribute('aria-hidden', 'true');
  for (const [name, at] of Object.entries({ x1: '0', y1: '2', x2: '22', y2: '2' })) line.setAttribute(name, at);
  line.style.stroke = `var(${colour})`;
  if (dash !== undefined) line.style.strokeDasharray = dash.join(' ');
  svg.append(line);
  return make('li', {}, svg, make('span', {}, title), value);
}

/** Null where nobody watched: the line breaks there. */
function withGaps(points: readonly Point[]): (Point | null)[] {
  return points.flatMap((point, i) => {
    const before = points[i - 1];
    return before !== undefined && point.at - before.at > GAP_MS ? [null, point] : [point];
  });
}
