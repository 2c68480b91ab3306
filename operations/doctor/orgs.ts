/** Checks one organization: its identity, its keys, its owner, its queue and its runs. */
import { hasSftp } from '../../config/settings.js';
import { countSealedTo } from '../../db/control/identityrotation.js';
import type { Org } from '../../db/control/orgs.js';
import { describeAlarm } from '../../importer/schedule/expectations.js';
import { KeyError } from '../../keys/error.js';
import type { MasterKey } from '../../keys/master/master.js';
import { keyIdOf, openOrgIdentity } from '../../keys/master/orgidentity.js';
import { formatTime } from '../format.js';
import { sortStored } from '../storedfiles.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';
import { examineLoginKeys } from './loginkeys.js';
import type { OrgRows } from './orgrows.js';
import { examinePgpKeys } from './pgp.js';
import { examineSources } from './sources.js';

type Report = ReturnType<typeof reporter>;

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** A day and an hour: by then the slot has come once, in every time zone and on the longest day. */
const queueOverdueMs = 25 * hourMs;
const runOverdueMs = hourMs;

/** `master` null: it can't be used, which `examineMasterKey` reports. */
export async function examineOrg(
  workplace: Workplace,
  org: Org,
  rows: OrgRows,
  master: MasterKey | null,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const report = reporter(findings, 'organization', org.id);
  if (master !== null) await examineIdentity(org, master, report);
  await examineRotation(workplace, org, rows, report);
  examineOwner(org, rows, report);
  if (org.enabled && !hasSftp(workplace.settings, org.plan))
    report('warning', `it is enabled, but its plan "${org.plan}" does not include SFTP access: all logins are refused`);
  if (org.enabled) examineLoginKeys(workplace.now(), org, rows, report);
  if (org.enabled) examineQueue(workplace.now(), rows, report);
  examinePgpKeys(workplace.now(), org, rows.pgpKeys, report);
  if (rows.hasStored) await examineStored(workplace, org, report);
  for (const { receipt, at } of rows.pendingErasures)
    report(
      'wrong',
      `an erasure was interrupted at ${formatTime(at)}, and files may still have the person: dropslot users erase ${org.id} ${receipt} --yes`,
    );
  for (const alarm of rows.alarms) report('warning', describeAlarm(alarm, org.timeZone));
  await examineSources(workplace.now(), org, rows.sources, master, report);
  examineRuns(workplace.now(), rows, report);
  if (findings.every(({ level }) => level === 'ok')) report('ok', org.enabled ? 'enabled, whole' : 'disabled, whole');
  return findings;
}

async function examineIdentity(org: Org, master: MasterKey, report: Report): Promise<void> {
  try {
    await openOrgIdentity(master, org);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    report(error.code === 'destroyed' ? 'warning' : 'wrong', error.message);
  }
}

async function examineRotation(
  { control }: Workplace,
  org: Org,
  { lostFiles }: OrgRows,
  report: Report,
): Promise<void> {
  const old = org.oldIdentities.map(({ recipient }) => keyIdOf(recipient));
  if (old.length > 0) {
    const files = await countSealedTo(control.read, org.id, old);
    report('warning', `its identity is being rotated (files to go: ${files}): dropslot identity rotate ${org.id}`);
  }
  if (lostFiles > 0) report('warning', `its identity was destroyed: ${lostFiles} of its files can no longer be opened`);
}

function examineOwner(org: Org, { owner }: OrgRows, report: Report): void {
  if (owner === null)
    report(
      'wrong',
      `its owner is not in the directory: dropslot orgs set ${org.id} owner=${org.ownerEmail} --create-owner`,
    );
  else if (owner.status !== 'active' || !owner.isAdmin)
    report('warning', `its owner is ${owner.status === 'active' ? 'no admin' : 'deactivated'}`);
}

function examineQueue(now: number, { isHeld, oldestQueuedAt }: OrgRows, report: Report): void {
  if (isHeld) return;
  if (oldestQueuedAt !== null && now - oldestQueuedAt > queueOverdueMs)
    report(
      'wrong',
      `files have waited since ${formatTime(oldestQueuedAt)}, and no import has run: is "dropslot serve" running?`,
    );
}

/** Files that are not imported because of their names: expected for a while, or beside the data, and so no errors. */
async function examineStored(workplace: Workplace, org: Org, report: Report): Promise<void> {
  const { unfinished, others } = await sortStored(workplace, org);
  const dayAgo = workplace.now() - dayMs;
  const late = unfinished.filter(({ closedAt }) => closedAt <= dayAgo);
  const see = `see "dropslot queue ${org.id}"`;
  if (late.length > 0)
    report(
      'warning',
      `files that have waited for more than a day for their rename to a final name, and are imported only then: ${late.length}, the oldest since ${formatTime(late[0]!.closedAt)}; ${see}`,
    );
  const recent = unfinished.length - late.length;
  if (recent > 0) report('ok', `files that wait for their rename to a final name: ${recent}; ${see}`);
  if (others.length > 0)
    report(
      'ok',
      `stored files that are not imported, as their names do not look like data files: ${others.length}; ${see}`,
    );
}

function examineRuns(now: number, { runs }: OrgRows, report: Report): void {
  const last = runs.find((run) => run.state === 'done' || run.state === 'failed');
  if (last?.state === 'failed') report('wrong', `run ${last.id} failed: ${last.failure}`);
  for (const run of runs) {
    if (run.state === 'held')
      report(
        'warning',
        `run ${run.id} is held since ${formatTime(run.hold!.at)}, imports wait: dropslot runs show ${run.id} --changes`,
      );
    if (run.state === 'open' && run.fault !== null)
      report(
        'wrong',
        `run ${run.id} waits for the end of a fault of the machine, and is tried again by itself: ${run.fault}`,
      );
    else if (run.state === 'open' && now - run.openedAt > runOverdueMs)
      report('wrong', `run ${run.id} waits since ${formatTime(run.openedAt)}: is "dropslot serve" running?`);
    if (run.state === 'open' && run.attempts > 0 && now - run.openedAt <= runOverdueMs)
      report('warning', `run ${run.id} was interrupted (attempts: ${run.attempts}): "dropslot serve" continues it`);
    if (run.state === 'running' && run.leaseUntil !== null && now > run.leaseUntil)
      report(
        now > run.leaseUntil + runOverdueMs ? 'wrong' : 'warning',
        `run ${run.id} was cut off at ${formatTime(run.leaseUntil)}: "dropslot serve" continues it`,
      );
  }
}
