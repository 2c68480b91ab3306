/** Records an event of problems that `dropslot doctor` did not find before. */
import { hostname } from 'node:os';
import type { Db } from '../../db/connection.js';
import { followConditionsOfNode } from '../../db/control/eventmarks.js';
import { waitForNoStandby } from '../../db/postgres/replication.js';
import type { Workplace } from '../workplace.js';
import type { Finding } from './finding.js';

/** Subscribers get an event when other checks than before find something wrong on this node; a database that takes no writes is a finding itself. */
export async function tellWrong(
  { control, now }: Pick<Workplace, 'control' | 'now'>,
  findings: readonly Finding[],
  host = hostname(),
): Promise<void> {
  const wrong = findings.filter(({ level }) => level === 'wrong');
  const checks = [...new Set(wrong.map(({ check }) => check))].sort();
  const conditions = checks.length === 0 ? [] : [{ name: checks.join(), data: { checks, wrong: wrong.length, host } }];
  const event = { at: now(), org: null, type: 'doctor.wrong', subject: checks.join(', ') };
  const of = { kind: 'doctor', host, at: event.at };
  // That commits wait for a standby is a finding too.
  const transact: Db['transact'] = (work) =>
    control.transact(async (tx) => {
      await waitForNoStandby(tx);
      return work(tx);
    });
  await followConditionsOfNode({ ...control, transact }, of, conditions, (data) => ({ ...event, data })).catch(
    () => {},
  );
}
