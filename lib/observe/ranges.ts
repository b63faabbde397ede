// ranges.ts: what a share may be of which only a sample is known.

/** From the least to the most that something can be. */
export type Range = [least: number, most: number];

const Z_95 = 1.959964; // standard errors from the mean, on both sides

/** Wilson's interval of a share of which `found` of `tried` were seen, at 95 %. Nothing tried: it may be any. */
export function shareBetween(found: number, tried: number): Range {
  if (!(tried > 0)) return [0, 1];
  const share = Math.min(1, found / tried);
  const z2 = (Z_95 * Z_95) / tried;
  const middle = (share + z2 / 2) / (1 + z2);
  const half = (Z_95 / (1 + z2)) * Math.sqrt((share * (1 - share)) / tried + z2 / (4 * tried));
  // At the ends, rounding may go past what was seen.
  return [found === 0 ? 0 : Math.max(0, middle - half), found >= tried ? 1 : Math.min(1, middle + half)];
}
