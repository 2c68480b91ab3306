/** Checks the sources and watched folders of an organization: their host keys, their secrets, and whether their rounds succeed. */
import type { Org } from '../../db/control/orgs.js';
import { type Source, wordOf } from '../../db/control/sources.js';
import type { MasterKey } from '../../keys/master/master.js';
import { SourceError } from '../../sources/error.js';
import { openSecret } from '../../sources/secret.js';
import { formatTime } from '../format.js';
import type { reporter } from './finding.js';

/** A round may wait for others, and a server may be restarted. */
const overdueMs = 30 * 60_000;

/** `master` null: it can't be used. */
export async function examineSources(
  now: number,
  org: Org,
  sources: readonly Source[],
  master: MasterKey | null,
  report: ReturnType<typeof reporter>,
): Promise<void> {
  for (const source of sources) {
    const word = wordOf(source.config.kind);
    const name = `${word} ${source.id}`;
    const see = `see "dropslot ${word}s show ${source.id}"`;
    if (master !== null) await examineSecret(source, master, name, report);
    if (source.state === 'unconfirmed')
      report(
        'warning',
        `${name} fetches nothing, because its host key is not confirmed: dropslot sources test ${source.id}`,
      );
    if (source.state !== 'active') continue;
    if (source.failure !== null)
      report('warning', `${name} fails (failures in a row: ${source.failures}): ${source.failure}; ${see}`);
    const problems = source.result?.problems.length ?? 0;
    if (problems > 0)
      report('warning', `some files of ${name} could not be taken or cleared away: ${problems}; ${see}`);
    if (org.enabled && source.leaseUntil < now && now - source.nextAt > overdueMs)
      report('wrong', `the round of ${name} is due since ${formatTime(source.nextAt)}: is "dropslot serve" running?`);
  }
}

async function examineSecret(
  { secret, id }: Source,
  master: MasterKey,
  name: string,
  report: ReturnType<typeof reporter>,
): Promise<void> {
  if (secret === null) return;
  try {
    await openSecret(master, secret);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    report('wrong', `${name}: ${error.message}; give it again: dropslot sources set ${id} --key FILE`);
  }
}
