/** The alarms about the files of organizations: the open ones, and those that are over. */
import { type Alarm, listAlarms } from '../db/control/alarms.js';
import { findOrgs } from '../db/control/orgs.js';
import { describeAlarm } from '../importer/schedule/expectations.js';
import type { Workplace } from './workplace.js';

export interface ShownAlarm extends Alarm {
  /** One sentence for the operator. */
  message: string;
}

export interface AlarmFilter {
  /** undefined: of all organizations. */
  org?: string | undefined;
  /** Those that are over, too. */
  resolved: boolean;
  /** Most of them: 1,000 without it. */
  limit?: number;
}

const mostAlarms = 1000;

/** Newest first. @throws OperationError `not_found` */
export async function listAlarmsOf(
  { control, org }: Pick<Workplace, 'control' | 'org'>,
  filter: AlarmFilter,
): Promise<ShownAlarm[]> {
  if (filter.org !== undefined) await org(filter.org);
  const alarms = await listAlarms(control.read, { limit: mostAlarms, ...filter });
  const zones = new Map(
    (await findOrgs(control.read, [...new Set(alarms.map((alarm) => alarm.org))])).map(({ id, timeZone }) => [
      id,
      timeZone,
    ]),
  );
  return alarms.map((alarm) => ({ ...alarm, message: describeAlarm(alarm, zones.get(alarm.org) ?? 'UTC') }));
}
