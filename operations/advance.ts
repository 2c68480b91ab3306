/** Progress of long work, as the operations tell it to the command line and to the log. */

export interface Advance {
  /** A word or a few: `copying the sealed files`. */
  phase: string;
  /** Of the phase, in words: `12 of 30 files, 1.2 GiB of 3.0 GiB`; empty: nothing is counted. */
  amount: string;
  /** Of the phase, for the rate. */
  done: number;
  unit: 'bytes' | 'files' | 'records' | 'rows';
  /** Of the phase, between 0 and 1; null: its total is not known. */
  share: number | null;
  /** The file that is read, quoted; null: none or several are. */
  name: string | null;
}

/** Gets remarks, and the progress as often as it changes: the listener shows some of it. */
export type OnAdvance = (news: string | Advance) => void;

/** A phase of which nothing is counted. */
export function beginPhase(phase: string): Advance {
  return { phase, amount: '', done: 0, unit: 'files', share: null, name: null };
}

/** null: there is no total. */
export function shareOf(done: number, total: number | null): number | null {
  return total === null || total <= 0 ? null : Math.min(done / total, 1);
}

/** For a log: one line. */
export function describeAdvance(news: string | Advance): string {
  if (typeof news === 'string') return news;
  return [news.phase, news.amount, news.name].filter((part) => part !== '' && part !== null).join(' · ');
}

const lineEveryMs = 2000;

/** The lines of a log: all remarks, each new phase, and its progress from time to time. @param now in ms */
export function toLines(tell: (line: string) => void, now: () => number): OnAdvance {
  let [last, lastPhase] = [now(), ''];
  return (news) => {
    const phase = typeof news === 'string' ? lastPhase : news.phase;
    if (typeof news !== 'string' && phase === lastPhase && now() - last < lineEveryMs) return;
    [last, lastPhase] = [now(), phase];
    tell(describeAdvance(news));
  };
}
