/** Formats the results: medians, percentiles, markdown tables. */

export interface Section {
  title: string;
  /** One or two sentences: the measured quantity and the method. */
  about: string;
  header: string[];
  rows: string[][];
  notes: string[];
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Our rate divided by the peer's: above 1, Dropslot is faster. */
export function ratio(ours: number, theirs: number): string {
  return `${(ours / theirs).toFixed(2)}×`;
}

/** The median of the ratios of runs that took turns. */
export function describeRatio(ours: readonly number[], theirs: readonly number[]): string {
  return ratio(median(ours.map((value, run) => value / theirs[run]!)), 1);
}

/** `410 (398–422)`: the median, and the lowest and highest run. */
export function spread(values: readonly number[], digits = 0): string {
  const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return values.length === 1 ? middle! : `${middle} (${low}–${high})`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}

/** `dropslot serve 88 MiB, importer 240 MiB` */
export function describePeaks(peaks: ReadonlyMap<string, number>): string {
  return [...peaks].map(([role, bytes]) => `${role} ${mebibytes(bytes)}`).join(', ') || '–';
}

export function formatSection(section: Section): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `## ${section.title}`,
    '',
    section.about,
    '',
    line(section.header),
    line(section.header.map(() => '---')),
    ...section.rows.map(line),
    '',
    ...section.notes.flatMap((note) => [`- ${note}`]),
    ...(section.notes.length > 0 ? [''] : []),
  ].join('\n');
}
