// progress.mts — one line on a terminal that says what is going on; silent everywhere else.

const CLEAR_LINE = '\r\u001b[2K';

export function showProgress(text: string): void {
  if (!process.stderr.isTTY) return;
  const columns = process.stderr.columns || 80; // 0 on some pseudo-terminals
  process.stderr.write(CLEAR_LINE + text.slice(0, columns - 1)); // a wrapped line could not be cleared
}

export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
}
