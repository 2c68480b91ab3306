/** Keeps `/README.txt` and the files in `/templates` of each organization up to date with its fields, settings and next slot. */
import { createHash } from 'node:crypto';
import type { Settings } from '../../config/settings.js';
import type { Db, Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { findBlob } from '../../db/control/blobs.js';
import { findEntry, freeName, lockEntry, updateEntry } from '../../db/control/entries.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { listPgpKeys, listPublishedPgpKeys } from '../../db/control/pgpkeys.js';
import { hasWaitingRun } from '../../db/control/runs.js';
import { readmePath, templatePath } from '../../db/control/treelayout.js';
import { listVersions } from '../../db/directory/directory.js';
import { listFields } from '../../db/directory/fields.js';
import { keyIdsOf } from '../../keys/master/orgidentity.js';
import { contactOf } from '../contact.js';
import { type OwnFileDeps, writeOwnFile } from '../report/ownfile.js';
import { renderReadme } from '../report/readme.js';
import { renderTemplates } from '../report/templates.js';
import { nextSlotOf } from './jitter.js';
import { type Rounds, startRounds } from './periodic.js';
import { shareSlots } from './slots.js';

export interface TemplateDeps extends OwnFileDeps {
  directory: Db;
  settings: Pick<Settings, 'contact' | 'slotJitterMinutes'>;
}

const lookEveryMs = 5_000;
/** Organizations whose files one round writes even while runs wait: after a slot of thousands each has another next slot. */
const fewestOrgs = 10;

export function startTemplates(deps: TemplateDeps): Rounds {
  const seen = new Map<string, string>();
  return startRounds(async (isStopping) => {
    const mustPause = async (written: number) =>
      isStopping() || (written >= fewestOrgs && (await hasWaitingRun(deps.control.read, deps.now())));
    await updateTemplates(deps, seen, mustPause).catch((error: Error) =>
      deps.logger.error(`could not list organizations for their /templates; will retry in ${lookEveryMs / 1000} s`, {
        reason: error.message,
      }),
    );
    return lookEveryMs;
  });
}

/**
 * @param seen by organization: the state from which its files were last written; unchanged ones are skipped.
 * @param mustPause whether to leave the other organizations to the next round, after so many were written.
 */
export async function updateTemplates(
  deps: TemplateDeps,
  seen: Map<string, string>,
  mustPause: (written: number) => Promise<boolean> = async () => false,
): Promise<void> {
  let written = 0;
  const versions = await listVersions(deps.directory.read);
  const pgpKeys = await listPublishedPgpKeys(deps.control.read, deps.now());
  const beginOf = shareSlots((org, jitterMs) => nextSlotOf(org, deps.now(), jitterMs), deps.settings.slotJitterMinutes);
  for (const org of await listOrgs(deps.control.read)) {
    if (org.sealedIdentity === null) continue;
    const { name, enabled, slot, timeZone, dateFormat, teamsMode, recipient, options } = org;
    const contact = contactOf(org, deps.settings);
    const nextSlotAt = beginOf(org);
    const settings = [name, enabled, slot, timeZone, dateFormat, teamsMode, recipient, options];
    const key = JSON.stringify([versions.get(org.id) ?? 0, contact, nextSlotAt, settings, pgpKeys.get(org.id)]);
    if (seen.get(org.id) === key) continue;
    if (await mustPause(written++)) return;
    try {
      for (const { name: file, text } of renderTemplates(org, await listFields(deps.directory.read, org.id)))
        await writeOwn(deps, org, templatePath(file), text);
      await writePgpKey(deps, org, pgpKeys.get(org.id));
      await writeOwn(deps, org, readmePath, renderReadme({ org, nextSlotAt, contact }));
      seen.set(org.id, key);
    } catch (error) {
      const message = `could not write /README.txt and /templates of ${org.id}; will retry in ${lookEveryMs / 1000} s`;
      deps.logger.error(message, { org: org.id, reason: (error as Error).message });
    }
  }
}

const noPgpKey = 'This drop has no PGP key that can be used. Ask the people who gave you access to it.\n';

/** The public key to which files are encrypted. A file whose key ended says so: it is not left with a key that is refused. */
async function writePgpKey(deps: TemplateDeps, org: Org, fingerprint: string | undefined): Promise<void> {
  const path = templatePath('pgp-public-key.asc');
  if (fingerprint === undefined && (await findEntry(deps.control.read, org.id, path)) === null) return;
  const keys = await listPgpKeys(deps.control.read, org.id, 'own');
  await writeOwn(deps, org, path, keys.find((key) => key.fingerprint === fingerprint)?.publicKey ?? noPgpKey);
}

/** Writes a file of the server's own, unless its text is the same. */
async function writeOwn(deps: TemplateDeps, org: Org, path: string, text: string): Promise<void> {
  const { control } = deps;
  const entry = await findEntry(control.read, org.id, path);
  // A folder of the organization's own, from before the name was the server's.
  if (entry?.kind === 'dir') return;
  const current = entry === null ? null : await findBlob(control.read, entry.blobId!);
  const isSame = current?.sha256 === createHash('sha256').update(text).digest('hex');
  // A file that is sealed to a destroyed identity does not open, even if its text is right.
  if (isSame && current.sealedTo != null && keyIdsOf(org).includes(current.sealedTo)) return;
  await writeOwnFile(deps, org, path, text, (tx) => makeWay(tx, org.id, path, deps.now()));
}

/** A sender's file at the path, from before the name was the server's, gets another name. */
async function makeWay(tx: Queryable, org: string, path: string, at: number): Promise<void> {
  const entry = await lockEntry(tx, org, path);
  if (entry === null || entry.uploadId === null) return;
  const name = await freeName(tx, org, entry.dir, entry.name);
  await updateEntry(tx, entry.id, { name });
  const event = { at, org, actor: 'system', action: 'file.renamed', subject: `upload ${entry.uploadId}` };
  await recordAudit(tx, { ...event, detail: { upload: entry.uploadId, reason: 'the name is reserved' } });
}
