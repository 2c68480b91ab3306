/** The erasure of a person, for people and as JSON. */
import { escapeControl } from '../../operations/format.js';
import type { Erasure } from '../../operations/people/erase.js';

/** After an erasure that an open reader or a full disk has kept from the database's files. */
export const leftBytes =
  'The files of the databases still have deleted values, since they are in use or the disk is full: repeat the command, or stop the server.';

/** Said after each erasure, and before it. */
export const backupsKeep =
  'Backups made before now still have this person: delete them when you can. After you restore one, erase the person again.';

const namedFiles = 20;

export function describeErasure({ receipt, wasUser, directory, files, names, partials, isErased }: Erasure): string {
  const { changes, mentions, reports, teams } = directory;
  const { rewritten, removed, unsearched } = files;
  const left = unsearched.slice(0, namedFiles).map((path) => `  ${escapeControl(path)}`);
  const more = unsearched.length > namedFiles ? [`  and ${unsearched.length - namedFiles} more`] : [];
  return [
    `Erased ${wasUser ? 'the user' : 'what was left'}; the receipt in the audit trail is "erasure ${receipt}", which names nobody.`,
    `  ${changes} recorded changes deleted; the address replaced in ${mentions} other places`,
    `  ${reports} users without their manager now; ${teams} teams have the organization's owner`,
    `  ${rewritten} stored files sealed anew without the person; ${removed} removed; ${partials} interrupted uploads removed`,
    ...(names.renamed + names.runs === 0
      ? []
      : [`  ${names.renamed} files and folders renamed; the person replaced in the records of ${names.runs} runs`]),
    ...(unsearched.length === 0
      ? []
      : [
          `${unsearched.length} files can't be searched and are kept (--unsearched remove removes them):`,
          ...left,
          ...more,
        ]),
    ...(isErased ? [] : [leftBytes]),
    backupsKeep,
  ].join('\n');
}
