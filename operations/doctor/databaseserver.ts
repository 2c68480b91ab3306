/** Examines the PostgreSQL server: whether a commit that it has acknowledged survives, and which versions Dropslot knows. */
import { type CommitWait, countStandbys, readCommitWait } from '../../db/postgres/replication.js';
import { findWriteFault } from '../../db/postgres/writable.js';
import type { Workplace } from '../workplace.js';
import { judgeConnections, mostConnections } from './connections.js';
import { type Finding, reporter } from './finding.js';

const oldest = 15;
const newest = 18;

export interface ServerSettings {
  /** The major version. */
  version: number;
  /** `synchronous_commit` */
  commits: string;
  /** `full_page_writes` */
  pages: string;
  /** `synchronous_standby_names` */
  standbys: string;
}

/** Nothing on SQLite. */
export async function examineDatabaseServer({
  control,
  settings: own,
}: Pick<Workplace, 'control' | 'settings'>): Promise<Finding[]> {
  if (control.dialect === 'sqlite') return [];
  const { rows } = await control.read.raw(
    `SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('synchronous_commit') AS commits,
       current_setting('full_page_writes') AS pages, current_setting('synchronous_standby_names') AS standbys,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections`,
  );
  const isPooled = own.databasePooler === 'transaction';
  return [
    ...judgeWrites(await findWriteFault(control.read)),
    ...judgeServer(rows[0], await countStandbys(control.read), await readCommitWait(control.read)),
    ...(isPooled ? [] : judgeConnections(mostConnections(own), rows[0].connections)),
  ];
}

/** @param fault why it takes no writes, in a sentence; null: it does */
function judgeWrites(fault: string | null): Finding[] {
  const findings: Finding[] = [];
  if (fault !== null) reporter(findings, 'databases', 'PostgreSQL')('wrong', fault);
  return findings;
}

/** @param synchronous standbys that a commit waits for; null: they can't be seen */
export function judgeServer(settings: ServerSettings, synchronous: number | null, wait: CommitWait | null): Finding[] {
  const { version, pages } = settings;
  const findings: Finding[] = [];
  const report = reporter(findings, 'databases', 'PostgreSQL');
  if (version < oldest)
    report('wrong', `the server is PostgreSQL ${version}: Dropslot needs ${oldest} or later; upgrade it`);
  if (version > newest)
    report(
      'warning',
      `the server is PostgreSQL ${version}, which is newer than this Dropslot was tested with (${newest})`,
    );
  if (pages === 'off') report('wrong', 'full_page_writes is off: a power cut may damage the database. Set it to on');
  judgeCommits(report, settings);
  judgeStandbys(report, settings, synchronous, wait);
  if (findings.length === 0)
    report(
      'ok',
      `PostgreSQL ${version}; a commit is durable ${describeKept(settings)} before its client gets an answer`,
    );
  return findings;
}

type Report = ReturnType<typeof reporter>;

function judgeCommits(report: Report, { commits, standbys }: ServerSettings): void {
  if (commits === 'off')
    report(
      'wrong',
      'synchronous_commit is off: an upload that was answered with OK may be lost when the server crashes. Set it to on, or to remote_apply with a standby',
    );
  if (commits === 'local' && standbys !== '')
    report(
      'warning',
      'synchronous_commit is local: the standbys of synchronous_standby_names may lack uploads that were answered with OK. Set it to on',
    );
  if (commits === 'remote_write' && standbys !== '')
    report(
      'warning',
      'synchronous_commit is remote_write: a standby has received an upload that was answered with OK, but may lose it in a power cut. Set it to on',
    );
}

const waiting: readonly string[] = ['on', 'remote_write', 'remote_apply'];

function judgeStandbys(
  report: Report,
  { commits, standbys }: ServerSettings,
  synchronous: number | null,
  wait: CommitWait | null,
): void {
  if (wait !== null) report('wrong', describeWait(wait));
  if (standbys === '' || !waiting.includes(commits)) return;
  if (synchronous === 0)
    report(
      'wrong',
      `synchronous_standby_names is '${standbys}', and no such standby is attached: each commit waits for one, and no upload is answered. Start the standby, or set synchronous_standby_names to '' until there is one`,
    );
  if (synchronous === null && wait === null)
    report(
      'warning',
      `synchronous_standby_names is '${standbys}', but this user may not see whether such a standby is attached: GRANT pg_read_all_stats (or pg_monitor) TO its role`,
    );
}

/** One sentence for the operator. */
export function describeWait({ commits, waitedMs }: CommitWait): string {
  const many = commits === 1 ? 'a commit waits' : `${commits} commits wait`;
  return `${many} for a standby of PostgreSQL, for ${Math.round(waitedMs / 1000)} s: no upload is answered until it confirms them. See pg_stat_replication and synchronous_standby_names of the primary`;
}

function describeKept({ commits, standbys }: ServerSettings): string {
  return standbys === '' || !waiting.includes(commits) ? 'on this server alone' : 'on a standby too';
}
