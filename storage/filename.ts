/** Tells from the name of a file how it is used: data that is imported, a file that is not finished, or neither (rule F0). */
import type { OrgOptions } from '../db/control/orgoptions.js';
import { dryRunRoot } from '../db/control/treelayout.js';
import type { Destination } from '../db/control/uploads.js';
import { matchesPattern } from './namepattern.js';
import { isBelow, joinPath, splitPath } from './path.js';

export type NameOptions = Pick<OrgOptions, 'temporaryNames' | 'importPatterns' | 'importWithoutExtension'>;

/** `unfinished`: it waits for the rename that gives it its final name. `other`: it does not look like a data file. */
export type NameKind = 'data' | 'unfinished' | 'other';

/** Files that programs put beside data, and those of operating systems and editors. */
const besideNames: readonly RegExp[] = [
  /\.(?:bak|backup|old|orig|done|ok|ctl|trg|trigger|ready|fin|finished|complete|completed|flag|sem|sig|lock|lck|camellock)$/i,
  /\.(?:md5|sha(?:1|224|256|384|512)|crc)(?:sum)?(?:\.txt)?$/i,
  /^(?:\.ds_store|\._.*|thumbs\.db|desktop\.ini|\.directory|~\$.*|\.~lock\..*)$/i,
];

/**
 * Names that clients give to files that are not finished. `.` and `~`: lftp, rsync, editors; `tmp.`: Logic Apps; `filepart`: WinSCP;
 * `writing`: Spring Integration; `_COPYING_`: Hadoop; 32 hexadecimal digits: Data Factory; `users.csv-Ab12Cd`: Cyberduck.
 * A prefix that is a word marks only a name with an extension of its own: `temp.csv` is data.
 */
const unfinishedNames: readonly RegExp[] = [
  /^(?:[.~]|tmp[._-])/i,
  /^(?:temp|partial|filepart|in[-_]?progress|incomplete|uploading|writing)\.(?!(?:csv|tsv|txt)(?:\.|$))(?=.*\.)/i,
  /~$/,
  /\.(?:part|filepart|partial|tmp|temp|writing|in[-_]?progress|in[-_]?work|wip|pending|incomplete|uploading|upload|transferring)$/i,
  /\.(?:filetransfer|new|download|crdownload|swp|_copying_)$/i,
  // Before the extension, as in `users.tmp.csv`; but `part` and `temp` may be about employees.
  /(?:[._-]tmp|\.(?:filepart|partial|writing|in[-_]?progress|incomplete|uploading|transferring))\.[^.]+$/i,
  /\.[0-9a-f]{32}$/i,
  /\.(?:csv|tsv|txt|zip|pgp|gpg|asc|gz)(?:\.(?:pgp|gpg|asc|gz))?-[0-9a-z]+$/i,
];

/** Folders in which clients keep files that are not finished: Mule, Hadoop, rsync, `mktemp -d`; hidden ones, also the trash of desktops. */
const unfinishedFolders =
  /^(?:\..*|_?te?mp|tmp[._-].*|_temporary|partials?|filepart|in[-_]?progress|incomplete|uploading|writing|.*\.(?:te?mp|part|partial|filepart|in[-_]?progress|incomplete|uploading|writing))$/i;

/** Encrypted and compressed forms: their sender is told if they can't be read. */
const encrypted = /.\.(?:pgp|gpg|asc|age)$/i;
const compressed = /.\.(?:gz|z|bz2|xz|zst|7z|rar)$/i;
/** Data, and data in a form whose refusal says how to export it. */
const dataExtension = /.\.(?:csv|tsv|txt|xlsx|xlsm|xlsb|xls|ods|zip|json|xml|html?|pdf)$/i;
/** A date or a number behind a dot is no extension, and neither is the mark of a file with all users. */
const noExtension = /^[^.]+(?:\.(?:[\d_-]+|full))*$/i;

/** The state that a complete upload of this path gets. */
export function destinationOf(path: string, options: NameOptions): Destination {
  if (isBelow(path, dryRunRoot)) return hasMark(path, options) ? 'stored' : 'dry_run';
  return kindOfName(path, options) === 'data' ? 'queued' : 'stored';
}

/**
 * An organization's own temporary names come first, then its patterns of names to import, and only then the lists here. A pattern
 * imports a name with a mark of these lists only if it has the mark itself: `users.*` does not match `users.part`, `*.part` does.
 */
export function kindOfName(path: string, options: NameOptions): NameKind {
  if (options.temporaryNames?.some((pattern) => matchesPattern(pattern, path))) return 'unfinished';
  const mark = markOf(path);
  const isAllowed = (pattern: string) =>
    matchesPattern(pattern, path) && (mark === null || markOf(joinPath('/', pattern.replace(/^\//, ''))) !== null);
  if (options.importPatterns?.some(isAllowed)) return 'data';
  if (mark !== null) return mark;
  return isData(splitPath(path).name, options.importWithoutExtension === true) ? 'data' : 'other';
}

/** Below `/dry-run` any name is taken but those that say that the file is not finished. */
function hasMark(path: string, { temporaryNames = [], importPatterns = [] }: NameOptions): boolean {
  const name = `/${splitPath(path).name}`;
  if (temporaryNames.some((pattern) => matchesPattern(pattern, path))) return true;
  return kindOfName(name, { importPatterns }) !== 'data' && markOf(name) !== null;
}

function markOf(path: string): Exclude<NameKind, 'data'> | null {
  const { dir, name: written } = splitPath(path);
  const name = written.slice(0, endOf(written));
  if (besideNames.some((pattern) => pattern.test(name))) return 'other';
  const isUnfinished =
    formsOf(name).some((form) => unfinishedNames.some((pattern) => pattern.test(form))) ||
    dir.split('/').some((folder) => unfinishedFolders.test(folder));
  return isUnfinished ? 'unfinished' : null;
}

/** A name, and it without the extensions of its encrypted or compressed forms: `users.tmp.csv.gz` has a mark. */
function formsOf(name: string): string[] {
  const forms = [name];
  for (let inner = name; forms.length <= mostLayers && wrapped.some((form) => form.test(inner)); ) {
    inner = inner.slice(0, inner.lastIndexOf('.'));
    forms.push(inner);
  }
  return forms;
}

const wrapped = [encrypted, compressed, /.\.zip$/i];
/** Encrypted and compressed forms in one another. */
const mostLayers = 3;

function isData(name: string, takesNoExtension: boolean): boolean {
  let inner = name.slice(0, endOf(name));
  let isWrapped = false;
  for (let layers = 0; layers < mostLayers; layers++) {
    // Nothing else is encrypted for Dropslot, whatever its name is: users.pgp, users.dat.pgp.
    const isEncrypted = encrypted.test(inner);
    if (!isEncrypted && !compressed.test(inner)) break;
    isWrapped = true;
    inner = inner.slice(0, inner.lastIndexOf('.'));
    if (isEncrypted) return markOf(joinPath('/', inner)) === null;
  }
  return dataExtension.test(inner) || ((takesNoExtension || isWrapped) && noExtension.test(inner));
}

/** Without the dots and blanks at the end, which Windows drops: `users.csv. ` is a data file there. */
function endOf(name: string): number {
  let end = name.length;
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end--;
  return end;
}

/** A client that uses a temporary name that is not known here renames the file within this time. */
const restMs = 10_000;
const dayMs = 86_400_000;

/** When the sender of a file that is complete at `at` is told that it is not imported, in ms; null: it is imported, or checked. */
export function tellAtOf(path: string, options: NameOptions, at: number): number | null {
  if (destinationOf(path, options) !== 'stored') return null;
  return at + (kindOfName(path, options) === 'unfinished' ? dayMs : restMs);
}
