/** The results of rotating and destroying keys, and the steps that are left for the operator, in words. */
import type { DestroyedIdentity } from '../../operations/identity.js';
import type { Rotation } from '../../operations/identityrotation.js';
import type { MasterRotation } from '../../operations/masterkey.js';

const listedFiles = 20;

export function describeRotation({ org, recipient, rewrapped, isFinished, left }: Rotation): string {
  const lines = [`New files of ${org} are sealed to ${recipient}.`, `Files with a new header: ${rewrapped}.`];
  for (const [what, ids] of [
    ['is missing', left.missing],
    ['is damaged', left.damaged],
  ] as const) {
    for (const id of ids.slice(0, listedFiles))
      lines.push(`The sealed file ${id} ${what}: restore it from the backup.`);
    if (ids.length > listedFiles) lines.push(`And ${ids.length - listedFiles} more.`);
  }
  lines.push(
    isFinished
      ? 'The old identity is removed. Older backups of the files still open with older backups of the control database.'
      : 'The old identity is kept beside the new one until the rotation is finished.',
  );
  return lines.join('\n');
}

/** Why the old identity still exists, and what to do. */
export function unfinishedReason({ org, left }: Rotation): string {
  const lost = left.missing.length + left.damaged.length;
  if (lost > 0)
    return `not finished: ${lost} files can't be given a new header; restore them from the backup or remove them, then repeat "dropslot identity rotate ${org}"`;
  const reasons = [
    ...(left.uploads > 0 ? [`open uploads: ${left.uploads}`] : []),
    ...(left.runs > 0 ? [`running imports: ${left.runs}`] : []),
  ];
  return `not finished, the old identity is still used (${reasons.join(', ') || 'new files arrived'}): repeat "dropslot identity rotate ${org}" later`;
}

export function describeMaster(
  { recipient, resealed, oldKeyFiles, isOldKeyPresent, isErased }: MasterRotation,
  masterKey: string,
): string {
  const lines = [
    `The master key is now ${recipient}.`,
    `Organizations whose identity is now sealed to it: ${resealed}.`,
    `Back up ${masterKey} now, separately from the data: the old master key can't open backups made from now on.`,
  ];
  for (const file of oldKeyFiles)
    lines.push(
      `${file} is the old master key. It opens only older backups: keep it, separately, as long as such a backup of the control database, then destroy both with all copies.`,
    );
  if (isOldKeyPresent)
    lines.push(
      `Remove the old identity from the source of the master key (${masterKey}), and restart the server. Keep it, separately, as long as an older backup of the control database.`,
    );
  lines.push(
    'Copy the new master key to every other node that has its own copy; until then that node can open no file.',
  );
  if (!isErased)
    lines.push(
      'The database file still holds traces that the old master key can open. Stop the server and repeat this, or wait until the space is overwritten.',
    );
  return lines.join('\n');
}

export function describeDestroyed({ org, recipient, filesLost, withdrawn, isErased }: DestroyedIdentity): string {
  const lines = [
    `The identity of ${org} (${recipient}) is destroyed. Stored files that can no longer be opened: ${filesLost}. Uploads removed from the queue: ${withdrawn}.`,
    `Older copies of the control database still contain it, sealed to the master key: destroy those backups, or run "dropslot identity rotate-master" and destroy every copy of the old master key.`,
    `${org} accepts no uploads now; "dropslot identity rotate ${org}" gives it a new identity.`,
  ];
  if (!isErased)
    lines.push(
      'The database file may still hold traces of the sealed identity, because another process was reading it. Stop the server, and run any rotation.',
    );
  return lines.join('\n');
}
