/** Draws delays by number of importers as an SVG. */

export interface Series {
  name: string;
  points: readonly { importers: number; lastMinutes: number; medianMinutes: number }[];
}

const width = 720;
const height = 420;
const left = 70;
const top = 50;
const bottom = 60;
const right = 190;
const colours = ['#b3261e', '#0b57d0', '#146c2e'];

/** Both axes are logarithmic; the lines are the last import, the dashes the median. */
export function plotDelays(series: readonly Series[], title: string): string {
  const all = series.flatMap(({ points }) => points);
  const counts = [...new Set(all.map(({ importers }) => importers))];
  const values = all.flatMap(({ lastMinutes, medianMinutes }) => [lastMinutes, medianMinutes]);
  const [low, high] = [decade(Math.min(...values), Math.floor), decade(Math.max(...values), Math.ceil)];
  const x = (importers: number) =>
    left + ((width - left - right) * log(importers, counts[0]!)) / log(counts.at(-1)!, counts[0]!);
  const y = (minutes: number) => height - bottom - ((height - top - bottom) * log(minutes, low)) / log(high, low);
  const lines: string[] = [];
  for (let minutes = low; minutes <= high; minutes *= 10)
    lines.push(
      `<line x1="${left}" x2="${width - right}" y1="${round(y(minutes))}" y2="${round(y(minutes))}" stroke="#ccc"/>`,
      `<text x="${left - 8}" y="${round(y(minutes) + 4)}" text-anchor="end">${minutes}</text>`,
    );
  for (const count of counts)
    lines.push(`<text x="${round(x(count))}" y="${height - bottom + 20}" text-anchor="middle">${count}</text>`);
  for (const [index, { name, points }] of series.entries()) {
    const colour = colours[index % colours.length]!;
    const path = (of: (point: (typeof points)[number]) => number) =>
      points.map((point) => `${round(x(point.importers))},${round(y(of(point)))}`).join(' ');
    lines.push(
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path(({ lastMinutes }) => lastMinutes)}"/>`,
      `<polyline fill="none" stroke="${colour}" stroke-dasharray="4 4" points="${path(({ medianMinutes }) => medianMinutes)}"/>`,
      `<text x="${width - right + 12}" y="${top + 20 + index * 22}" fill="${colour}">${name}</text>`,
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<title>${title}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="24" font-size="15">${title}</text>
<text x="${left}" y="42" fill="#555">minutes after the slot; line: last import, dashes: median</text>
${lines.join('\n')}
<text x="${(left + width - right) / 2}" y="${height - 14}" text-anchor="middle">importers</text>
</svg>
`;
}

function log(value: number, base: number): number {
  return Math.log(value / base);
}

function decade(value: number, rounding: (exponent: number) => number): number {
  return 10 ** rounding(Math.log10(value));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
