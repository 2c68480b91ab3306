/** Events by the calendar: once a day the head of the audit trail, which leaves the machine, and on Mondays each organization's week. */
import { appendFileSync } from 'node:fs';
import { DateTime } from 'luxon';
import { type Logger, openSyslog } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { countOpenAlarms } from '../../db/control/alarms.js';
import { readHead } from '../../db/control/audit.js';
import { type Due, isNoted, listOver, nameMark } from '../../db/control/calendarmarks.js';
import { forgetMarks, listMarks, mark } from '../../db/control/eventmarks.js';
import { recordEvent } from '../../db/control/events.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { listEnded, listOrgsOfEnded, type Run } from '../../db/control/runs.js';
import type { RunSummary } from '../types.js';
import type { Clock } from './clock.js';
import { type Rounds, startRounds } from './periodic.js';

export interface ReportDeps {
  control: Db;
  settings: Pick<Settings, 'auditHeads'>;
  logger: Logger;
  now: () => number;
  /** Without it the clock is trusted always. */
  clock?: Pick<Clock, 'mayDecide'>;
  /** Writes one line; for tests. */
  writeLine?: (target: string, line: string) => void;
}

const everyMs = 600_000;
const weeklyHour = 8;

export function startReports(deps: ReportDeps): Rounds {
  return startRounds(async () => {
    if (deps.clock?.mayDecide() === false) return everyMs;
    await reportByCalendar(deps).catch((error: Error) =>
      deps.logger.error(`could not record the daily and weekly events; will retry in ${everyMs / 1000} s`, {
        reason: error.message,
      }),
    );
    return everyMs;
  });
}

/** One round. */
export async function reportByCalendar(deps: ReportDeps): Promise<void> {
  await reportHead(deps);
  await reportWeeks(deps);
}

/** Each target once a day: one that fails is tried again in the next round, and delays no other. */
async function reportHead({ control, settings, logger, now, writeLine = writeTo }: ReportDeps): Promise<void> {
  const at = now();
  const day = new Date(at).toISOString().slice(0, 10);
  const known = new Set(await listMarks(control.read, 'audit.head:'));
  const { count, hash } = await readHead(control.read);
  if (count === 0) return;
  const dueOf = (target: string) => ({ of: `audit.head:${target}`, date: day, everyDays: 1 });
  if (!isNoted(known, dueOf('event')))
    await control.transact(async (tx) => {
      if (!(await mark(tx, nameMark(dueOf('event')), at))) return;
      await recordEvent(tx, { at, org: null, type: 'audit.head', subject: 'audit', data: { count, hash } });
    });
  for (const target of settings.auditHeads) {
    if (isNoted(known, dueOf(target))) continue;
    try {
      writeLine(target, JSON.stringify({ time: new Date(at).toISOString(), count, hash }));
      await mark(control.write, nameMark(dueOf(target)), at);
    } catch (error) {
      logger.error('could not write the head of the audit trail; will retry', {
        ...{ target, reason: (error as Error).message },
      });
    }
  }
  // Also of targets that this node has not: another one may have them.
  await forgetMarks(
    control.write,
    listOver(known, () => day, 1),
  );
}

function writeTo(target: string, line: string): void {
  if (target === 'syslog') openSyslog('dropslot-audit', () => {}).end(`${line}\n`);
  else appendFileSync(target.replace(/^file:/, ''), `${line}\n`, { mode: 0o600 });
}

/** Each transaction costs a sync of the disk. */
const recordedAtOnce = 100;

/** An organization whose week can't be summed up is tried again in the next round, and delays no other. */
async function reportWeeks({ control, logger, now }: ReportDeps): Promise<void> {
  const at = now();
  const known = new Set(await listMarks(control.read, 'report.weekly:'));
  const due = (await listOrgs(control.read)).map((org) => ({ org, ...lastWeek(org, at) }));
  const unmarked = due.filter((one) => !isNoted(known, one) && one.org.createdAt < one.until);
  const active = new Set(
    unmarked.length === 0 ? [] : await listOrgsOfEnded(control.read, Math.min(...unmarked.map(({ since }) => since))),
  );
  const alarms = await countOpenAlarms(control.read);
  const weeks: { name: string; org: string; data: Record<string, unknown> }[] = [];
  const record = async () => {
    const some = weeks.splice(0);
    await control.transact(async (tx) => {
      for (const { name, org, data } of some)
        if (await mark(tx, name, at)) await recordEvent(tx, { at, org, type: 'report.weekly', subject: org, data });
    });
  };
  for (const { org, of, date, since, until } of unmarked) {
    try {
      const runs = active.has(org.id) ? await listEnded(control.read, org.id, since, until) : [];
      weeks.push({
        name: nameMark({ of, date }),
        org: org.id,
        data: { since, ...sumWeek(runs), alarms: alarms.get(org.id) ?? 0 },
      });
    } catch (error) {
      const reason = (error as Error).message.slice(0, 300);
      logger.error('could not sum up the week of an organization; will retry', { org: org.id, reason });
    }
    if (weeks.length === recordedAtOnce) await record();
  }
  if (weeks.length > 0) await record();
  const dates = new Map(due.map(({ of, date }) => [of, date]));
  await forgetMarks(
    control.write,
    listOver(known, (of) => dates.get(of), 7),
  );
}

/** The last whole week: it ended on Monday at 08:00 in the organization's time zone. */
function lastWeek(org: Org, at: number): Due & { since: number; until: number } {
  const local = DateTime.fromMillis(at, { zone: org.timeZone });
  const monday = local.startOf('week').set({ hour: weeklyHour });
  const end = monday <= local ? monday : monday.minus({ weeks: 1 });
  return {
    ...{ of: `report.weekly:${org.id}`, date: end.toISODate()!, everyDays: 7 },
    since: end.minus({ weeks: 1 }).toMillis(),
    until: end.toMillis(),
  };
}

function sumWeek(runs: readonly Run[]) {
  const summaries = runs.map(({ summary }) => summary as Partial<RunSummary> | null);
  type Key = 'created' | 'stubs' | 'updated' | 'deactivated' | 'faults';
  const sum = (of: 'users' | 'teams', key: Key) =>
    summaries.reduce((total, summary) => total + (summary?.[of]?.[key] ?? 0), 0);
  const refused = summaries.flatMap((summary) => (summary?.files ?? []).filter(({ state }) => state === 'refused'));
  return {
    runs: runs.length,
    // Also users that exist because others name them.
    created: sum('users', 'created') + sum('users', 'stubs'),
    updated: sum('users', 'updated'),
    deactivated: sum('users', 'deactivated'),
    faults: sum('users', 'faults') + sum('teams', 'faults'),
    refused: refused.length,
  };
}
