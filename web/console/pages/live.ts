/** Live parts of pages, as server-sent events: the progress of an import, and the numbers of the overview. */
import { setTimeout as sleep } from 'node:timers/promises';
import { findPerson } from '../../../operations/accounts/people.js';
import { listSessionsOf } from '../../../operations/accounts/sessions.js';
import { OperationError } from '../../../operations/error.js';
import { type Shares, takeShare } from '../../../operations/places.js';
import type { Run } from '../../../operations/runsummary.js';
import { type Counts, readCounts } from '../../../operations/status.js';
import { countRowsOf, type RunProgress, watchRun } from '../../../operations/watchrun.js';
import { type Call, type ConsoleRoute, type OrgCall, type Outcome, orgPage, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { ownRun } from './runview.js';

const t = texts.live;
/** Of the server's people: all but those that one organization may have. */
const shares: Record<'org' | 'server', Shares> = {
  org: { most: 40, mostOfOrg: 10 },
  server: { most: 40, mostOfOrg: 30 },
};
const longestMs = 3_600_000;
const everyMs = 500;
const countEveryMs = 2_000;
const quietMs = 15_000;

type Texts = Record<string, string>;

const send = (kind: string, data: unknown) => `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;

/** A bounded number at once, each until its session ends. */
function stream(call: Call, org: string | null, write: (signal: AbortSignal) => AsyncGenerator<string>): Outcome {
  const { busy } = call;
  const gone = new AbortController();
  const content = async function* () {
    // Here, not before: an answer that never begins must not keep its place.
    const leave = takeShare(busy, 'live part', org ?? 'the server', shares[org === null ? 'server' : 'org']);
    try {
      if (leave === null) throw new OperationError('unavailable', t.busy);
      yield* write(AbortSignal.any([AbortSignal.timeout(longestMs), gone.signal]));
    } finally {
      leave?.();
    }
  };
  return { content: endingWith(content(), gone), fileName: null, type: 'text/event-stream' };
}

/** A client that leaves ends the wait for the next piece, and gives its place back at once. */
function endingWith(pieces: AsyncGenerator<string>, gone: AbortController) {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => pieces.next(),
      return: () => {
        gone.abort();
        return pieces.return(undefined);
      },
    }),
  };
}

/** With another role the page itself must be asked for again. */
async function isSignedIn({ workplace, account, session }: Call): Promise<boolean> {
  const present = await findPerson(workplace, account.email).catch(() => null);
  if (present?.id !== account.id || present.role !== account.role) return false;
  return (await listSessionsOf(workplace, account)).some(({ id }) => id === session.id);
}

async function followRun(call: OrgCall): Promise<Outcome> {
  const { workplace, org } = call;
  const run = await ownRun(call);
  const total = await countRowsOf(workplace, run.id);
  return stream(call, org.id, async function* (signal) {
    const news = watchRun(workplace, run.id, { everyMs, quietMs, signal, isWanted: () => isSignedIn(call) });
    for await (const one of news) {
      if (one.kind === 'quiet') yield ': waiting\n\n';
      else if (one.kind === 'end') yield send('end', {});
      else yield send('progress', describe(one.progress, total));
    }
  });
}

/** @param total rows of all its files; null: not known */
function describe({ phase, file, rows, rowsPerSecond, elapsedMs }: RunProgress, total: number | null): Texts {
  const isReading = phase === 'staging' || phase === 'reading';
  const rest = isReading && total !== null && rows !== null ? total - rows : 0;
  return {
    phase: phase === null ? t.begins : t.phases[phase],
    file: file ?? '',
    rows: rows === null || rows === 0 ? '' : t.rows(rows, total),
    rate: rowsPerSecond === null ? '' : t.rate(rowsPerSecond),
    left: rowsPerSecond === null || rest <= 0 ? '' : t.left((rest / rowsPerSecond) * 1000),
    elapsed: elapsedMs === null ? '' : t.elapsed(elapsedMs),
  };
}

/** The first texts, which the page has itself. */
export function describeRunning(run: Run): Texts {
  const { phase = null, file = null, rows = null } = (run.progress ?? {}) as Partial<RunProgress>;
  return describe({ state: run.state, phase, file, rows, rowsPerSecond: null, elapsedMs: null }, null);
}

/** The numbers of the overview that change while it is open. */
export function describeCounts({ runs, queue }: Counts): Texts {
  const o = texts.overview;
  return { runs: o.runsText(runs.running, runs.held), queue: o.queueText(queue.files) };
}

async function followCounts(call: Call): Promise<Outcome> {
  return stream(call, null, async function* (signal) {
    let sent = '';
    let quietAt = 0;
    while (!signal.aborted && (await isSignedIn(call))) {
      const text = send('progress', describeCounts(await readCounts(call.workplace)));
      quietAt += countEveryMs;
      if (text !== sent) yield text;
      else if (quietAt >= quietMs) yield ': waiting\n\n';
      if (text !== sent || quietAt >= quietMs) quietAt = 0;
      sent = text;
      await sleep(countEveryMs, undefined, { signal, ref: false }).catch(() => {});
    }
  });
}

export const liveRoutes: readonly ConsoleRoute[] = [
  orgPage('/imports/{run}/progress', 'org.read', followRun),
  page('/progress', 'server.read', followCounts),
];
