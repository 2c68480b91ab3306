/** Examines the PostgreSQL server: whether a commit that it has acknowledged survives, and which versions Dropslot knows. */
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';

const oldest = 15;
const newest = 18;

/** Nothing on SQLite. */
export async function examineDatabaseServer({ control }: Pick<Workplace, 'control'>): Promise<Finding[]> {
  if (control.dialect === 'sqlite') return [];
  const findings: Finding[] = [];
  const report = reporter(findings, 'databases', 'PostgreSQL');
  const { rows } = await control.read.raw(
    `SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('synchronous_commit') AS commits,
       current_setting('full_page_writes') AS pages, current_setting('synchronous_standby_names') AS standbys`,
  );
  const [{ version, commits, pages, standbys }] = rows;
  if (version < oldest)
    report('wrong', `the server is PostgreSQL ${version}: Dropslot needs ${oldest} or later; upgrade it`);
  if (version > newest)
    report(
      'warning',
      `the server is PostgreSQL ${version}, which is newer than this Dropslot was tested with (${newest})`,
    );
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
  if (pages === 'off') report('wrong', 'full_page_writes is off: a power cut may damage the database. Set it to on');
  if (findings.length > 0) return findings;
  const kept = standbys === '' ? 'on this server alone' : 'on a standby too';
  report('ok', `PostgreSQL ${version}; a commit is durable ${kept} before its client gets an answer`);
  return findings;
}
