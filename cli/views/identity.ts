/** How changes of keys are told to the operator: what was done, and what is left for them to do. */
import type { DestroyedIdentity } from '../../operations/identity.js';
import type { Rotation } from '../../operations/identityrotation.js';
import type { MasterRotation } from '../../operations/masterkey.js';

const listedFiles = 20;

export function describeRotation({ org, recipient, rewrapped, isFinished, left }: Rotation): string {
  const lines = [`${org} seals to ${recipient}.`, `Files that got a new header: ${rewrapped}.`];
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
      ? 'The old identity is gone from here. Backups of the files from before still open with backups of the control database from before.'
      : 'The old identity is kept beside the new one until then.',
  );
  return lines.join('\n');
}

/** Why the old identity is still there, and what to do. */
export function unfinishedReason({ org, left }: Rotation): string {
  const lost = left.missing.length + left.damaged.length;
  if (lost > 0)
    return `not finished: ${lost} files can't be given a new header; restore them from the backup or remove them, then repeat "dropslot identity rotate ${org}"`;
  const reasons = [
    ...(left.uploads > 0 ? [`uploads that began before: ${left.uploads}`] : []),
    ...(left.runs > 0 ? [`imports that are not over: ${left.runs}`] : []),
  ];
  return `not finished, the old identity is still used (${reasons.join(', ') || 'files came in'}): repeat "dropslot identity rotate ${org}" later`;
}

export function describeMaster(
  { recipient, resealed, oldKeyFiles, isOldKeyPresent, isErased }: MasterRotation,
  masterKey: string,
): string {
  const lines = [
    `The master key is now ${recipient}.`,
    `Organizations whose identity was sealed to it: ${resealed}.`,
    `Back up ${masterKey} now, apart from the data: backups of the old master key do not open what is backed up from now on.`,
  ];
  for (const file of oldKeyFiles)
    lines.push(
      `${file} is the old master key. It opens only what was backed up before: keep it, apart, as long as such a backup of the control database, then destroy both with every copy of it.`,
    );
  if (isOldKeyPresent)
    lines.push(
      `Take the old identity out of where the master key comes from (${masterKey}), and start the server again. Keep it, apart, as long as a backup of the control database from before.`,
    );
  lines.push('Another node that has its own copy of the master key needs the new one before it opens anything again.');
  if (!isErased)
    lines.push(
      'The database still holds traces of what the old master key opens. Stop the server and repeat this, or wait until the space is used again.',
    );
  return lines.join('\n');
}

export function describeDestroyed({ org, recipient, filesLost, withdrawn, isErased }: DestroyedIdentity): string {
  const lines = [
    `The identity of ${org} (${recipient}) is destroyed. Stored files that nothing opens any more: ${filesLost}. Uploads taken out of the queue: ${withdrawn}.`,
    `Copies of the control database from before still have it, for whoever has the master key: destroy those backups, or run "dropslot identity rotate-master" and destroy every copy of the old master key.`,
    `${org} takes no uploads now; "dropslot identity rotate ${org}" gives it a new identity.`,
  ];
  if (!isErased)
    lines.push(
      'Traces of the sealed identity may still lie in the files of the database, since somebody was reading it. Stop the server, and run any rotation.',
    );
  return lines.join('\n');
}
