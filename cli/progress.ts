/**
 * The progress of long work on standard error: at a terminal one line that is written over, with percent, rate and the time left;
 * elsewhere plain lines, the fewer the longer the work takes.
 */
import type { Advance } from '../operations/advance.js';
import { escapeControl, formatBytes } from '../operations/format.js';
import { cutText, displayWidth } from './width.js';

const redrawEveryMs = 200;
/** Shorter work has no plain line. */
const firstLineMs = 1000;
const mostLineMs = 60_000;
/** A rate, and the time left, over less than this are no more than a guess. */
const leastMeasuredMs = 1000;

export interface ProgressForm {
  /** The cells of a line that may be written over, read at each drawing; null: there is none. */
  columns: () => number | null;
  /** In ms. */
  now?: () => number;
}

export class ProgressLine {
  readonly #write: (text: string) => void;
  readonly #columns: () => number | null;
  readonly #now: () => number;
  /** null: no work is shown. */
  #latest: Advance | null = null;
  #phaseAt = 0;
  /** Where the phase was when it was first told: it may continue earlier work. */
  #from = { done: 0, share: 0 };
  #drawnAt = Number.NEGATIVE_INFINITY;
  /** Cells on the screen. */
  #drawn = 0;
  #lineAt = 0;
  #lineWaitMs = firstLineMs;
  /** As it was written last. */
  #lastLine = '';
  #timer: NodeJS.Timeout | null = null;

  constructor(write: (text: string) => void, { columns, now = () => performance.now() }: ProgressForm) {
    this.#write = write;
    this.#columns = columns;
    this.#now = now;
  }

  tell(advance: Advance): void {
    const at = this.#now();
    const before = this.#latest;
    if (before === null) [this.#lineAt, this.#lineWaitMs, this.#lastLine] = [at, firstLineMs, ''];
    if (before?.phase !== advance.phase || before.name !== advance.name || advance.done < before.done) {
      this.#phaseAt = at;
      this.#from = { done: advance.done, share: advance.share ?? 0 };
    }
    this.#latest = advance;
    this.#timer ??= setInterval(() => this.draw(), redrawEveryMs).unref();
    this.draw();
  }

  /** Draws the line again where it is time: the clock of a phase that tells nothing moves on, too. */
  draw(): void {
    if (this.#latest === null) return;
    const [at, columns] = [this.#now(), this.#columns()];
    if (columns === null) {
      this.#print(at);
      return;
    }
    if (at - this.#drawnAt < redrawEveryMs) return;
    this.#drawnAt = at;
    // The last cell stays free: a terminal may begin a new line after it.
    const line = cutText(describe(this.#latest, this.#measure(at)), columns - 1);
    if (this.#drawn > 0 && line === this.#lastLine) return;
    const width = displayWidth(line);
    const rest = ' '.repeat(Math.max(0, Math.min(this.#drawn, columns - 1) - width));
    // Blanks instead of an escape code: with NO_COLOR there is none.
    this.#write(`\r${line}${rest}`);
    [this.#drawn, this.#lastLine] = [width, line];
  }

  /** Makes room for another text; the line comes back while the work continues. */
  erase(): void {
    if (this.#drawn > 0) this.#write(`\r${' '.repeat(this.#drawn)}\r`);
    this.#drawn = 0;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  /** The work has ended. */
  end(): void {
    this.erase();
    this.#latest = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #print(at: number): void {
    if (at - this.#lineAt < this.#lineWaitMs) return;
    const line = describe(this.#latest!, this.#measure(at));
    if (line === this.#lastLine) return;
    this.#write(`${line}\n`);
    [this.#lineAt, this.#lastLine] = [at, line];
    this.#lineWaitMs = Math.min(Math.max(2 * firstLineMs, this.#lineWaitMs * 1.25), mostLineMs);
  }

  #measure(at: number): Measured {
    const { done, share } = this.#latest!;
    const ms = at - this.#phaseAt;
    const isMeasured = ms >= leastMeasuredMs;
    const gained = (share ?? 0) - this.#from.share;
    return {
      seconds: Math.floor(ms / 1000),
      rate: isMeasured && done > this.#from.done ? ((done - this.#from.done) * 1000) / ms : null,
      leftSeconds: isMeasured && share !== null && gained > 0 ? Math.ceil(((1 - share) * ms) / gained / 1000) : null,
    };
  }
}

interface Measured {
  /** Since the phase began. */
  seconds: number;
  /** For each second; null: not known. */
  rate: number | null;
  leftSeconds: number | null;
}

/** The name of the file comes last: a narrow terminal cuts it first. */
function describe({ phase, amount, share, unit, name }: Advance, { seconds, rate, leftSeconds }: Measured): string {
  const parts = [
    share === null ? phase : `${phase} ${Math.floor(share * 100)} %`,
    amount,
    rate === null ? '' : `${describeRate(rate, unit)}/s`,
    leftSeconds === null ? (seconds > 0 ? formatSpan(seconds) : '') : `${formatSpan(leftSeconds)} left`,
    name ?? '',
  ];
  return escapeControl(parts.filter((part) => part !== '').join(' · '));
}

function describeRate(rate: number, unit: Advance['unit']): string {
  if (unit === 'bytes') return formatBytes(Math.round(rate));
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} ${unit}`;
}

/** `42 s`, `3:05 min` or `2:30 h`. */
function formatSpan(seconds: number): string {
  const two = (number: number) => String(number).padStart(2, '0');
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${two(seconds % 60)} min` : `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
}
