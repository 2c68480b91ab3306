/** Is everything whole? Runs every check that can run, and gathers what they find. */
import { statfs } from 'node:fs/promises';
import type { Settings } from '../../config/settings.js';
import { listOrgs } from '../../db/control/orgs.js';
import { listDirectories } from '../../db/directory/directory.js';
import { DatabaseError } from '../../db/error.js';
import { openWorkplace, type Workplace } from '../compose.js';
import { formatBytes } from '../output.js';
import { examineBlobs } from './blobs.js';
import { type Finding, reporter } from './finding.js';
import { examineHostKeys, examineMasterKey } from './keys.js';
import { examineOrg } from './orgs.js';

/** @throws AdminError `not_found` when there is no data to examine. */
export async function examine(settings: Settings): Promise<Finding[]> {
  const where = settings.database === 'sqlite' ? settings.data : 'PostgreSQL';
  let place: Workplace;
  try {
    place = await openWorkplace(settings);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return [{ level: 'wrong', check: 'databases', subject: where, message: error.message }];
  }
  try {
    const opened: Finding = {
      level: 'ok',
      check: 'databases',
      subject: where,
      message: 'both databases open, with the schema of this version',
    };
    return [opened, ...(await examineOpened(place))];
  } finally {
    await place.close();
  }
}

async function examineOpened(place: Workplace): Promise<Finding[]> {
  const orgs = await listOrgs(place.control.read);
  const { findings, master } = await examineMasterKey(place);
  findings.push(...(await examineHostKeys(place)));
  findings.push(...(await examineBlobs(place)));
  for (const org of orgs) findings.push(...(await examineOrg(place, org, master)));
  findings.push(...(await examineStrays(place, new Set(orgs.map((org) => org.id)))));
  findings.push(await examineDisk(place));
  return findings;
}

/** Two files can be restored from backups of different days. */
async function examineStrays(place: Workplace, known: ReadonlySet<string>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const id of await listDirectories(place.directory.read)) {
    if (known.has(id)) continue;
    reporter(
      findings,
      'organization',
      id,
    )(
      'warning',
      'the directory has users of it, but there is no such organization: was one database restored without the other?',
    );
  }
  return findings;
}

const scarceBytes = 2 * 1024 ** 3;
const exhaustedBytes = 200 * 1024 ** 2;

async function examineDisk({ paths }: Workplace): Promise<Finding> {
  const { bavail, bsize } = await statfs(paths.data);
  const free = bavail * bsize;
  const level = free < exhaustedBytes ? 'wrong' : free < scarceBytes ? 'warning' : 'ok';
  return { level, check: 'disk', subject: paths.data, message: `${formatBytes(free)} free` };
}
