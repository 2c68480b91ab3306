/** The names of an export's files, and the interface of the places that they are written to. */

export interface ExportTarget {
  /**
   * Writes a file under a temporary name, and renames it once it is complete. Replaces a file of that name.
   * @param pieces gives the content from its beginning, each time it is called.
   */
  write(name: string, pieces: () => AsyncIterable<string>): Promise<void>;
  /** Names of the files in the folder. */
  list(): Promise<string[]>;
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}

/** What a name says about its file. */
export interface NamedExport {
  /** `sub_…` of the export. */
  id: string;
  /** The event that it is made for: the same name for a repeated attempt. */
  event: string;
  /** When the event happened, in ms. */
  at: number;
  /** Only users changed since then; null: all. */
  since: number | null;
}

/** `users-20261129T040000Z-1a2b3c4d-5e6f.csv`; of changes: `users-20261129T040000Z-since-20261128T040000Z-1a2b3c4d-5e6f.csv`. */
export function fileName(what: 'users' | 'teams', { id, event, at, since }: NamedExport): string {
  const from = what === 'users' && since !== null ? `-since-${stamp(since)}` : '';
  return `${what}-${stamp(at)}${from}-${ownPart(id)}-${event.slice(-4)}.csv`;
}

/** The files of an export beyond the newest `keep` of users and of teams. Files of other names are none of its own. */
export function expiredNames(id: string, keep: number, names: readonly string[]): string[] {
  const own = (what: string) => {
    const pattern = new RegExp(`^${what}-\\d{8}T\\d{6}Z(-since-\\d{8}T\\d{6}Z)?-${ownPart(id)}-[0-9a-z]{4}\\.csv$`);
    return names.filter((name) => pattern.test(name)).sort();
  };
  return ['users', 'teams'].flatMap((what) => own(what).slice(0, -keep));
}

/** The name of an incomplete file: only the next attempt for the same event continues or overwrites it. */
export function temporaryName(id: string, event: string, name: string): string {
  return `.dropslot-${name.slice(0, name.indexOf('-'))}-${ownPart(id)}-${event.slice(-8)}.part`;
}

/** Incomplete files of an export: of none of them an attempt is under way once one is complete. */
export function abandonedNames(id: string, names: readonly string[]): string[] {
  const own = ownPart(id);
  const pattern = new RegExp(`^\\.dropslot-(?:${own}|(?:users|teams)-${own}-[0-9a-z]{1,8})\\.part$`);
  return names.filter((name) => pattern.test(name));
}

function ownPart(id: string): string {
  return id.replace(/^sub_/, '').slice(0, 8);
}

function stamp(at: number): string {
  return new Date(at).toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
}
