/** Keeps the files in each organization's `/templates` up to date with its fields and settings. */
import { createHash } from 'node:crypto';
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import { findBlob } from '../../db/control/blobs.js';
import { replaceFile } from '../../db/control/checks.js';
import { findEntry } from '../../db/control/entries.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { templatePath } from '../../db/control/treelayout.js';
import { listVersions } from '../../db/directory/directory.js';
import { listFields } from '../../db/directory/fields.js';
import { keyIdsOf } from '../../keys/master/orgidentity.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { removeBlob } from '../../storage/blobs.js';
import { requireOpenable } from '../../storage/recipient.js';
import { writeText } from '../report/filereport.js';
import { renderTemplates, type Template } from '../report/templates.js';
import { type Rounds, startRounds } from './periodic.js';

export interface TemplateDeps {
  control: Db;
  directory: Db;
  paths: Paths;
  logger: Logger;
  now: () => number;
}

const lookEveryMs = 5_000;

export function startTemplates(deps: TemplateDeps): Rounds {
  const seen = new Map<string, string>();
  return startRounds(async () => {
    await updateTemplates(deps, seen).catch((error: Error) =>
      deps.logger.error(`could not list organizations for their /templates; will retry in ${lookEveryMs / 1000} s`, {
        reason: error.message,
      }),
    );
    return lookEveryMs;
  });
}

/** @param seen by organization: the state from which its templates were last written; unchanged ones are skipped. */
export async function updateTemplates(deps: TemplateDeps, seen: Map<string, string>): Promise<void> {
  const versions = await listVersions(deps.directory.read);
  for (const org of await listOrgs(deps.control.read)) {
    if (org.sealedIdentity === null) continue;
    const { name, dateFormat, teamsMode, recipient, options } = org;
    const key = JSON.stringify([versions.get(org.id) ?? 0, name, dateFormat, teamsMode, recipient, options]);
    if (seen.get(org.id) === key) continue;
    try {
      for (const template of renderTemplates(org, await listFields(deps.directory.read, org.id)))
        await writeTemplate(deps, org, template);
      seen.set(org.id, key);
    } catch (error) {
      const message = `could not write /templates of ${org.id}; will retry in ${lookEveryMs / 1000} s`;
      deps.logger.error(message, { org: org.id, reason: (error as Error).message });
    }
  }
}

async function writeTemplate(deps: TemplateDeps, org: Org, { name, text }: Template): Promise<void> {
  const { control, paths, logger, now } = deps;
  const path = templatePath(name);
  const entry = await findEntry(control.read, org.id, path);
  const current = entry === null ? null : await findBlob(control.read, entry.blobId!);
  const isSame = current?.sha256 === createHash('sha256').update(text).digest('hex');
  // A file that is sealed to a destroyed identity does not open, even if its text is right.
  if (isSame && current.sealedTo != null && keyIdsOf(org).includes(current.sealedTo)) return;
  const freed = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: (keep) => keep(writeText({ paths, recipient: org.recipient }, text)),
    commit: (blob, blobs) =>
      control.transact(async (tx) => {
        await requireOpenable(tx, org.id, blobs);
        return replaceFile(tx, org.id, path, blob, now());
      }),
  });
  for (const id of freed) await removeBlob(paths, id);
}
