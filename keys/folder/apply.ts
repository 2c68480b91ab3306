/** Applies the folder of login keys to the database, in one transaction. */
import type { Db, Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { insertLoginKey, revokeLoginKey, updateLoginKey } from '../../db/control/keys.js';
import { type FolderAction, type FolderPlan, keptTermsOf, kindOf, planFolder, type SeenKeys, termsOf } from './plan.js';
import type { FolderReading } from './read.js';

/** Returns the actions that were applied; writes nothing when there are none. */
export async function applyFolder(
  control: Db,
  reading: FolderReading,
  seen: SeenKeys,
  now: () => number,
): Promise<FolderPlan> {
  const plan = await planFolder(control.read, reading, seen);
  if (plan.actions.length === 0) return plan;
  return control.transact(async (tx) => {
    // Another node, or a command, may have changed the keys meanwhile.
    const current = await planFolder(tx, reading, seen);
    for (const action of current.actions) await applyAction(tx, action, now());
    return current;
  });
}

async function applyAction(tx: Queryable, action: FolderAction, at: number): Promise<void> {
  const { org } = action;
  const record = (name: string, subject: string, detail: Record<string, unknown>) =>
    recordAudit(tx, { at, org, actor: 'system', action: name, subject, detail });
  if (action.action === 'add') {
    const { algorithm, fingerprint, publicKey, file } = action.key;
    const kind = kindOf(action.key);
    // Some programs remove a file to replace it: the key that returns must not get more rights than before.
    const terms = { ...(action.before !== null && keptTermsOf(action.before, kind)), ...termsOf(action.key) };
    await insertLoginKey(tx, { org, kind, fingerprint, algorithm, publicKey, createdAt: at, ...terms });
    const { sources, expiresAt, permission } = terms;
    await record('key.added', fingerprint, { kind, file, algorithm, sources, expiresAt, permission });
  } else if (action.action === 'change') {
    await updateLoginKey(tx, org, action.fingerprint, action.change);
    await record('key.changed', action.fingerprint, { file: action.file, after: action.change });
  } else {
    await revokeLoginKey(tx, org, action.fingerprint, at, 'folder');
    await record('key.revoked', action.fingerprint, { file: action.file });
  }
}
