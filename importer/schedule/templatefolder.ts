/** Keeps each organization's `/templates` as its fields and choices are now. */
import { createHash } from 'node:crypto';
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import { findBlob, isBlobLive } from '../../db/control/blobs.js';
import { replaceFile } from '../../db/control/checks.js';
import { findEntry } from '../../db/control/entries.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { listVersions } from '../../db/directory/directory.js';
import { listFields } from '../../db/directory/fields.js';
import { keyIdsOf } from '../../keys/master/orgidentity.js';
import { removeBlob } from '../../storage/blobs.js';
import { writeText } from '../report/report.js';
import { renderTemplates, type Template } from '../report/templates.js';
import { requireOpenable } from '../run/openable.js';
import { type Rounds, startRounds } from './periodic.js';

export interface ShelfDeps {
  control: Db;
  directory: Db;
  paths: Paths;
  logger: Logger;
  now: () => number;
}

const lookEveryMs = 5_000;

export function startTemplates(deps: ShelfDeps): Rounds {
  const seen = new Map<string, string>();
  return startRounds(async () => {
    await followTemplates(deps, seen).catch((error: Error) =>
      deps.logger.error('templates wait', { reason: error.message }),
    );
    return lookEveryMs;
  });
}

/** @param seen what each organization's templates were last made from; one that is the same is passed over. */
export async function followTemplates(deps: ShelfDeps, seen: Map<string, string>): Promise<void> {
  const versions = await listVersions(deps.directory.read);
  for (const org of await listOrgs(deps.control.read)) {
    if (org.sealedIdentity === null) continue;
    const { name, dateFormat, teamsMode, recipient, options } = org;
    const key = JSON.stringify([versions.get(org.id) ?? 0, name, dateFormat, teamsMode, recipient, options]);
    if (seen.get(org.id) === key) continue;
    for (const template of renderTemplates(org, await listFields(deps.directory.read, org.id)))
      await placeTemplate(deps, org, template);
    seen.set(org.id, key);
  }
}

async function placeTemplate(deps: ShelfDeps, org: Org, { name, text }: Template): Promise<void> {
  const { control, paths, now } = deps;
  const path = `/templates/${name}`;
  const entry = await findEntry(control.read, org.id, path);
  const there = entry === null ? null : await findBlob(control.read, entry.blobId!);
  const isSame = there?.sha256 === createHash('sha256').update(text).digest('hex');
  // What was sealed to an identity that is destroyed opens no more, whatever it says.
  if (isSame && there.sealedTo != null && keyIdsOf(org).includes(there.sealedTo)) return;
  const blob = await writeText({ paths, recipient: org.recipient }, text);
  try {
    const freed = await control.transact(async (tx) => {
      await requireOpenable(tx, org.id, [blob]);
      return replaceFile(tx, org.id, path, blob, now());
    });
    for (const id of freed) await removeBlob(paths, id);
  } catch (error) {
    if (!(await isBlobLive(control.read, blob.id))) await removeBlob(paths, blob.id);
    throw error;
  }
}
