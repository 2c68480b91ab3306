/** The progress of a run as it changes, for surfaces that watch it and work on nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { endedStates, findRun, type Run } from '../db/control/runs.js';
import { listRowsOfRun } from '../db/control/uploads.js';
import type { Progress } from './runsummary.js';
import type { Workplace } from './workplace.js';

export interface RunProgress {
  state: Run['state'];
  phase: Progress['phase'] | null;
  file: string | null;
  rows: number | null;
  /** Since the run was claimed, in ms; null: it waits. */
  elapsedMs: number | null;
  /** Of the present phase, in rows; null: not known yet. */
  rowsPerSecond: number | null;
}

export type RunNews =
  | { kind: 'progress'; progress: RunProgress }
  | { kind: 'end'; run: Run | null }
  | { kind: 'quiet' };

export interface WatchOptions {
  everyMs: number;
  /** After this time without news it says so, which shows that the watched server is there. */
  quietMs: number;
  signal: AbortSignal;
  /** Asked each time; false ends it. */
  isWanted(): Promise<boolean>;
}

/** Rows of all files of a run, as their checks counted them; null: of one of them it is not known. */
export async function countRowsOf({ control }: Pick<Workplace, 'control'>, id: number): Promise<number | null> {
  const rows = await listRowsOfRun(control.read, id);
  const known = rows.filter((one) => one !== null);
  return known.length === 0 || known.length < rows.length ? null : known.reduce((sum, one) => sum + one, 0);
}

/** The present progress, each change of it, and the end: of a run that has ended or is held, or (null) found nothing to do. */
export async function* watchRun(
  { control, now }: Pick<Workplace, 'control' | 'now'>,
  id: number,
  { everyMs, quietMs, signal, isWanted }: WatchOptions,
): AsyncGenerator<RunNews> {
  let told = '';
  let toldAt = now();
  let begun = { key: '', rows: 0, at: 0 };
  while (!signal.aborted && (await isWanted())) {
    const run = await findRun(control.read, id);
    if (run === null || run.state === 'held' || endedStates.includes(run.state)) {
      yield { kind: 'end', run };
      return;
    }
    const { phase = null, file = null, rows = null } = (run.progress as Progress | null) ?? {};
    const key = JSON.stringify([run.state, phase, file]);
    if (begun.key !== key) begun = { key, rows: rows ?? 0, at: now() };
    const text = JSON.stringify([key, rows]);
    if (text !== told) {
      [told, toldAt] = [text, now()];
      const seconds = (now() - begun.at) / 1000;
      const done = (rows ?? 0) - begun.rows;
      const rowsPerSecond = seconds > 0 && done > 0 ? Math.round(done / seconds) : null;
      const elapsedMs = run.startedAt === null ? null : Math.max(0, now() - run.startedAt);
      yield { kind: 'progress', progress: { state: run.state, phase, file, rows, elapsedMs, rowsPerSecond } };
    } else if (now() - toldAt >= quietMs) {
      toldAt = now();
      yield { kind: 'quiet' };
    }
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {});
  }
}
