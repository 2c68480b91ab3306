/** The layout of every organization's virtual tree: its fixed folders, and where the server puts files below them. */

export const archiveRoot = '/archive';
export const reportsRoot = '/reports';
export const templatesRoot = '/templates';
/** Users and teams as CSV, for clients that fetch them. */
export const exportsRoot = '/exports';

/** Exports that were announced by mail; they are removed after a day. */
export const mailedExportsRoot = `${exportsRoot}/by-mail`;

/** Exports that a link in a mail downloads. Paths of clients begin with `/`: so no client and no list of files reaches this folder. */
export const linkedExportsRoot = 'by-link';

/** The text that says whose drop this is and how to use it; only the server writes it. */
export const readmePath = '/README.txt';

/** Files below it are planned at once and never imported; clients write to it. */
export const dryRunRoot = '/dry-run';

/** Folders that only the server writes to. They and `dryRunRoot` always exist, even without a row in `entries`. */
export const readOnlyRoots: readonly string[] = [archiveRoot, exportsRoot, reportsRoot, templatesRoot];

/** Roots whose files retention removes after a time, with the folders in them that are empty then. */
export const expiringRoots: readonly string[] = [archiveRoot, reportsRoot];

/** Holds the files that were imported or refused on a date (yyyy-mm-dd in the organization's time zone). */
export function archiveFolder(date: string): string {
  return `${archiveRoot}/${date}`;
}

/** Holds the files that a newer upload of their path replaced on a date before they were imported. */
export function supersededFolder(date: string): string {
  return `${archiveFolder(date)}/superseded`;
}

/** Holds the reports that were written on a date. */
export function reportsFolder(date: string): string {
  return `${reportsRoot}/${date}`;
}

export function templatePath(name: string): string {
  return `${templatesRoot}/${name}`;
}

/** Of an entry or a partial. */
export function pathOf({ dir, name }: { dir: string; name: string }): string {
  return `${dir === '/' ? '' : dir}/${name}`;
}
