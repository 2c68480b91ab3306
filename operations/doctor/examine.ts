/** Examines the installation for `dropslot doctor`: runs every check, and collects the findings. */
import { statfs } from 'node:fs/promises';
import type { Settings } from '../../config/settings.js';
import type { Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { listDirectories } from '../../db/directory/directory.js';
import { DatabaseError, describeDatabaseFailure } from '../../db/error.js';
import { isCommitAnswered } from '../../db/postgres/replication.js';
import { beginPhase, type OnAdvance } from '../advance.js';
import { inGroups } from '../byorg.js';
import { formatBytes } from '../format.js';
import type { OpenWorkplace, Workplace } from '../workplace.js';
import { examineBackups } from './backups.js';
import { examineBlobs } from './blobs.js';
import { examineClock } from './clock.js';
import { compareImports, examineAudit, examinePages, examinePair, examineUploadRecords } from './databases.js';
import { examineDatabaseServer } from './databaseserver.js';
import { examineDirectorySeal } from './directoryseal.js';
import { type Finding, reporter } from './finding.js';
import { examineImporters } from './importers.js';
import { examineHostKeys, examineMasterKey } from './keys.js';
import { examineKeyFolder } from './loginkeys.js';
import { examineMachine } from './machine.js';
import { readOrgRows } from './orgrows.js';
import { examineOrg } from './orgs.js';
import { examinePartials, examinePrivateFiles, readDatabaseModes } from './permissions.js';
import { examineSeals } from './seals.js';
import { examineStore } from './store.js';
import { tellWrong } from './tell.js';
import { examineTransport } from './transport.js';
import { examineWorkers } from './workers.js';

export interface ExamineOptions {
  /** Opens every sealed file, and reads every page of the databases. */
  deep?: boolean;
  onProgress?: OnAdvance;
  /** Asks whether the findings with a repair may be mended; without it none is. */
  mayMend?: (mendable: readonly Finding[]) => Promise<boolean>;
  now?: () => number;
  /** The file of settings; null: there is none. */
  settingsFile?: string | null;
}

/** @throws OperationError `not_found` when there is no data to examine. */
export async function examine(
  settings: Settings,
  open: OpenWorkplace,
  options: ExamineOptions = {},
): Promise<Finding[]> {
  const where = settings.database === 'sqlite' ? settings.data : 'PostgreSQL';
  let workplace: Workplace;
  // Read before they are opened, which closes them to others.
  const modes = readDatabaseModes(settings);
  try {
    workplace = await open(settings);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return [{ level: 'wrong', check: 'databases', subject: where, message: error.message }];
  }
  try {
    const opened: Finding = {
      level: 'ok',
      check: 'databases',
      subject: where,
      message:
        workplace.directory.withheld === undefined
          ? 'both databases open, with the schema of this version'
          : 'the control database opens, with the schema of this version',
    };
    const findings = [
      opened,
      ...(await examineOpened({ ...workplace, now: options.now ?? workplace.now }, where, options, modes)),
    ];
    await tellWrong(workplace, findings);
    const mendable = findings.filter((finding) => finding.mend !== undefined);
    if (mendable.length > 0 && (await options.mayMend?.(mendable)) === true) await mendAll(workplace, mendable);
    return findings;
  } finally {
    await workplace.close();
  }
}

async function examineOpened(
  workplace: Workplace,
  where: string,
  options: ExamineOptions,
  modes: ReadonlyMap<string, number>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  // A database with a damaged page still answers some queries: one failed check does not end the others.
  const attempt = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      // examineDirectorySeal reports it.
      if (error instanceof DatabaseError && error.code === 'withheld') return null;
      const message = describeDatabaseFailure(error);
      if (message === null) throw error;
      const isNew = findings.every((finding) => finding.message !== message);
      if (isNew) findings.push({ level: 'wrong', check: 'databases', subject: where, message });
      return null;
    }
  };
  const gather = (work: () => Promise<Finding[]> | Finding[]) => attempt(async () => findings.push(...(await work())));
  const { onProgress = () => {} } = options;
  onProgress(beginPhase('reading the databases'));
  await gather(() => examinePages(workplace, options.deep === true ? 'full' : 'quick'));
  if (options.deep === true) {
    onProgress(beginPhase('comparing the imports'));
    await gather(() => compareImports(workplace));
    await gather(() => examineAudit(workplace, onProgress));
  }
  await gather(() => examinePair(workplace));
  await gather(() => examineDatabaseServer(workplace));
  await gather(() => examineUploadRecords(workplace));
  await gather(() => examineDirectorySeal(workplace));
  await gather(() => examineMachine(workplace));
  const orgs = (await attempt(() => listOrgs(workplace.control.read))) ?? [];
  const { findings: ofMaster, master } = await examineMasterKey(workplace);
  findings.push(...ofMaster);
  await gather(() => examineHostKeys(workplace));
  await gather(() => examineTransport(workplace));
  await gather(() => examineKeyFolder(workplace));
  await gather(() => examinePrivateFiles(workplace, modes, options.settingsFile ?? null));
  const store = await examineStore(workplace);
  findings.push(...store.findings);
  onProgress(beginPhase('looking for the sealed files'));
  const extent = await attempt(async () => {
    if (!store.isUsable) return null;
    const { findings: ofBlobs, ...found } = await examineBlobs(workplace);
    findings.push(...ofBlobs);
    return found;
  });
  if (options.deep === true && extent !== null) await gather(() => examineSeals(workplace, extent, onProgress));
  await gather(() => examinePartials(workplace));
  await gather(() => examineImporters(workplace));
  await gather(() => examineWorkers(workplace));
  const examineSome = async (some: readonly Org[]): Promise<Finding[]> => {
    const rows = await readOrgRows(workplace, some);
    const found: Finding[] = [];
    for (const org of some) found.push(...(await examineOrg(workplace, org, rows.get(org.id)!, master)));
    return found;
  };
  onProgress(beginPhase('examining the organizations'));
  for (const some of inGroups(orgs))
    await gather(() =>
      examineSome(some).catch(async () => {
        // A damaged page may be of one organization alone.
        for (const org of some) await gather(() => examineSome([org]));
        return [];
      }),
    );
  await gather(() => examineStrays(workplace, new Set(orgs.map((org) => org.id))));
  await gather(() => examineClock(workplace));
  await gather(() => examineBackups(workplace));
  findings.push(await examineDisk(workplace));
  return findings;
}

/** Makes each repair, and sets the level of its finding; a repair that failed adds the reason to the message. */
async function mendAll(workplace: Workplace, mendable: readonly Finding[]): Promise<void> {
  const aside = mendable.length === 0 ? undefined : workplace.control.openAside?.();
  for (const finding of mendable) {
    try {
      if (aside !== undefined) await requireAnswers(workplace.control.read, aside);
      await finding.mend!.act();
      await recordAudit(workplace.control.write, {
        at: workplace.now(),
        org: null,
        actor: workplace.actor,
        action: 'doctor.mended',
        subject: finding.subject,
        detail: { what: finding.mend!.what },
      });
      finding.level = 'mended';
    } catch (error) {
      finding.level = 'wrong';
      finding.message += ` (not mended: ${(error as Error).message})`;
    }
  }
  await aside?.destroy();
}

/** A repair would wait for a lost standby without an end. @throws when a commit is not answered in time */
async function requireAnswers(read: Queryable, aside: Queryable): Promise<void> {
  if (!(await isCommitAnswered(read, aside, answerWithinMs)))
    throw new Error(
      "commits wait for a standby of PostgreSQL, which does not confirm them: start it, or set synchronous_standby_names to '' until there is one, and repeat this",
    );
}

const answerWithinMs = 5_000;

/** Two files can be restored from backups of different days. */
async function examineStrays(workplace: Workplace, known: ReadonlySet<string>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const id of await listDirectories(workplace.directory.read)) {
    if (known.has(id)) continue;
    reporter(
      findings,
      'organization',
      id,
    )(
      'warning',
      'the directory database has users of this organization, but the control database does not have it: was one database restored without the other?',
    );
  }
  return findings;
}

const scarceBytes = 2 * 1024 ** 3;
const exhaustedBytes = 64 * 1024 ** 2; // the databases need some, too

async function examineDisk({ paths, settings }: Workplace): Promise<Finding> {
  const { bavail, bsize } = await statfs(paths.data);
  const free = bavail * bsize;
  const { minFreeBytes } = settings;
  const subject = paths.data;
  if (free < Math.max(minFreeBytes, exhaustedBytes)) {
    const refused =
      free < minFreeBytes ? `; uploads are refused below ${formatBytes(minFreeBytes)} (minFreeBytes)` : '';
    return { level: 'wrong', check: 'disk', subject, message: `only ${formatBytes(free)} free${refused}` };
  }
  const level = free < Math.max(scarceBytes, 2 * minFreeBytes) ? 'warning' : 'ok';
  return { level, check: 'disk', subject, message: `${formatBytes(free)} free` };
}
