// shifts-picture.mts — hit rates over time as an SVG: a panel for each shift, a line for each policy.

export interface Panel {
  readonly title: string;
  /** Windows at which the shift begins and ends. */
  readonly begins: number;
  readonly ends: number;
  readonly lines: readonly { readonly policy: string; readonly rates: readonly number[] }[];
}

const WIDTH = 860;
const HEIGHT = 170;
const LEFT = 70;
const TOP = 30;
const GAP = 40;
const COLORS = ['#0b6e4f', '#c1292e', '#f1a208', '#5b6c8f', '#aaaaaa'];
/** Windows before the shift that are shown. */
const LEAD = 20;

/** @param capacities  requests of a window, in capacities */
export function drawShifts(panels: readonly Panel[], capacities: number): string {
  const height = TOP + panels.length * (HEIGHT + GAP) + 30;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
  ];
  for (const [number, panel] of panels.entries())
    parts.push(drawPanel(panel, TOP + number * (HEIGHT + GAP), capacities));
  const legend = panels[0]?.lines.map(
    ({ policy }, i) =>
      `<rect x="${LEFT + i * 130}" y="${height - 22}" width="14" height="4" fill="${COLORS[i]}"/><text x="${LEFT + 20 + i * 130}" y="${height - 16}">${policy}</text>`,
  );
  return `${parts.join('\n')}\n${legend?.join('\n') ?? ''}\n</svg>\n`;
}

function drawPanel({ title, begins, ends, lines }: Panel, top: number, capacities: number): string {
  const from = Math.max(0, begins - LEAD);
  const count = (lines[0]?.rates.length ?? 0) - from;
  const x = (window: number) => LEFT + ((window - from) / count) * (WIDTH - LEFT - 20);
  const y = (rate: number) => top + HEIGHT * (1 - rate);
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (rate) =>
      `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(rate)}" y2="${y(rate)}" stroke="#dddddd"/><text x="${LEFT - 8}" y="${y(rate) + 4}" text-anchor="end" fill="#555555">${rate}</text>`,
  );
  const shade = `<rect x="${x(begins)}" y="${top}" width="${Math.max(2, x(ends) - x(begins))}" height="${HEIGHT}" fill="#f2e9e4"/>`;
  const paths = lines.map(({ rates }, i) => {
    const points = rates.slice(from).map((rate, at) => `${x(from + at).toFixed(1)},${y(rate).toFixed(1)}`);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${COLORS[i]}" stroke-width="1.5"/>`;
  });
  const words = `<text x="${LEFT}" y="${top - 8}" font-weight="600">${title}: hit rate over ${(count * capacities).toFixed(0)} capacities of requests</text>`;
  return [shade, ...grid, ...paths, words].join('\n');
}
