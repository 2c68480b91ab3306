/** Draws measured lines as an SVG: the amount of work on a logarithmic axis; its cost on a linear one from 0, or on a logarithmic one. */

export interface Point {
  x: number;
  y: number;
}

export interface Line {
  /** Written beside its last point. */
  name: string;
  points: readonly Point[];
}

export interface Labels {
  title: string;
  x: string;
  y: string;
}

interface Scale {
  ticks: number[];
  /** Where a value stands between the bottom (0) and the top (1). */
  placeOf(value: number): number;
}

const [width, height] = [640, 360];
const [left, top, bottom] = [60, 56, 56];
/** Without and with names of lines beside them. */
const [narrow, wide] = [24, 140];
const steps = 5;
const colours = ['#0b57d0', '#b3261e', '#146c2e', '#7a4d00'];
const least = 14;

/** One line, whose points have their values beside them. */
export function plotPoints(points: readonly Point[], labels: Labels): string {
  return draw([{ name: '', points }], labels, scaleFromZero(points), narrow);
}

/** Several lines. @param isLogarithmic on an axis of powers of ten */
export function plotLines(lines: readonly Line[], labels: Labels, isLogarithmic = false): string {
  const points = lines.flatMap((line) => line.points);
  return draw(lines, labels, isLogarithmic ? scaleByDecades(points) : scaleFromZero(points), wide);
}

function draw(lines: readonly Line[], { title, x, y }: Labels, scale: Scale, right: number): string {
  const amounts = [...new Set(lines.flatMap(({ points }) => points.map((point) => point.x)))].sort(
    (one, other) => one - other,
  );
  const [first, last] = [amounts[0]!, amounts.at(-1)!];
  const share = (value: number) => (last === first ? 0 : Math.log(value / first) / Math.log(last / first));
  const atX = (value: number) => Math.round(left + (width - left - right) * share(value));
  const atY = (value: number) => Math.round(height - bottom - (height - top - bottom) * scale.placeOf(value));
  const grid = scale.ticks.flatMap((value) => [
    `<line x1="${left}" x2="${width - right}" y1="${atY(value)}" y2="${atY(value)}" stroke="#ccc"/>`,
    `<text x="${left - 8}" y="${atY(value) + 4}" text-anchor="end">${write(value)}</text>`,
  ]);
  const marks = amounts.map(
    (value) => `<text x="${atX(value)}" y="${height - bottom + 20}" text-anchor="middle">${write(value)}</text>`,
  );
  const names = spread(
    lines.map(({ points }) => atY(points.at(-1)!.y) + 4),
    least,
  );
  const drawn = lines.flatMap(({ name, points }, index) => {
    const colour = colours[index % colours.length]!;
    const path = points.map((point) => `${atX(point.x)},${atY(point.y)}`).join(' ');
    const values = (point: Point) =>
      `<text x="${atX(point.x)}" y="${atY(point.y) - 10}" text-anchor="middle">${write(Math.round(point.y))}</text>`;
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path}"/>`,
      ...points.map((point) => `<circle cx="${atX(point.x)}" cy="${atY(point.y)}" r="4" fill="${colour}"/>`),
      ...(name === '' ? points.map(values) : []),
      ...(name === '' ? [] : [`<text x="${width - right + 12}" y="${names[index]}" fill="${colour}">${name}</text>`]),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<title>${title}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="22" font-size="15">${title}</text>
<text x="${left}" y="40" fill="#555">${y}</text>
${grid.join('\n')}
${drawn.join('\n')}
${marks.join('\n')}
<text x="${(left + width - right) / 2}" y="${height - 12}" text-anchor="middle">${x}</text>
</svg>
`;
}

function scaleFromZero(points: readonly Point[]): Scale {
  const step = roundUp(Math.max(...points.map((point) => point.y)) / steps);
  const ticks = Array.from({ length: steps + 1 }, (_, index) => index * step);
  return { ticks, placeOf: (value) => value / (step * steps) };
}

function scaleByDecades(points: readonly Point[]): Scale {
  const values = points.map((point) => point.y);
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1);
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return { ticks, placeOf: (value) => (Math.log10(value) - low) / (high - low) };
}

/** The places of texts below one another, moved down where two would be closer than `gap`; in the order of the given ones. */
function spread(places: readonly number[], gap: number): number[] {
  const moved = [...places];
  let above = Number.NEGATIVE_INFINITY;
  for (const index of [...places.keys()].sort((one, other) => places[one]! - places[other]!)) {
    moved[index] = Math.max(places[index]!, above + gap);
    above = moved[index]!;
  }
  return moved;
}

/** `300 k`, `5 M`. */
function write(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000} M`;
  if (value >= 10_000) return `${value / 1_000} k`;
  return String(Number(value.toPrecision(6)));
}

/** To 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value)!;
}
