/**
 * Plans many small users files of a run together, with the same result as one after the other: a plan costs some forty statements,
 * whatever the number of its rows (docs/decisions/file-groups.md).
 */
import type { Source } from '../read/source.js';
import type { PlanInput } from './input.js';
import { type PlannedFile, planFile } from './planfile.js';
import { planGroup } from './plangroup.js';
import { mostFileBytes, readSmallFile, type SmallFile } from './smallfile.js';

/** So much of a group is kept in memory at most. */
const mostBytes = 1024 * 1024;
const mostFiles = 250;
const mostRows = 5_000;

/** Collects files until they no longer fit into one group, and plans them then. */
export class FileGroups {
  readonly #input: PlanInput;
  readonly #canGroup: boolean;
  #files: SmallFile[] = [];
  #rows = 0;
  #bytes = 0;
  /** The users that rows of the group describe, and those that they name as managers. */
  readonly #described = new Set<string>();
  readonly #named = new Set<string>();

  constructor(input: PlanInput) {
    this.#input = input;
    const { createMissing, identifier, fieldOwners, clearToken } = input.org.options;
    this.#canGroup =
      input.isOneByOne !== true &&
      createMissing !== 'no' &&
      identifier === undefined &&
      clearToken === undefined &&
      Object.keys(fieldOwners ?? {}).length === 0;
  }

  /** Whether the file may be in a group, as far as that is known before it is read. @param isFull a list of all users */
  mayTake(source: Source, isFull: boolean): boolean {
    return this.#canGroup && !isFull && source.mapper === undefined && source.bytes <= mostFileBytes;
  }

  /**
   * Adds a file; the files that had to be planned before.
   * @returns `apart`: the file is to be planned by itself, after those of the group.
   */
  async take(file: number, source: Source): Promise<readonly PlannedFile[] | 'apart'> {
    const read = await readSmallFile(this.#input, file, source);
    if (read === null) return 'apart';
    if (this.#fits(read)) {
      this.#add(read);
      return [];
    }
    const planned = await this.end();
    read.noteAgain();
    this.#add(read);
    return planned;
  }

  /** Plans the files of the group. */
  async end(): Promise<PlannedFile[]> {
    const files = this.#files;
    this.#files = [];
    this.#rows = 0;
    this.#bytes = 0;
    this.#described.clear();
    this.#named.clear();
    return planHalves(this.#input, files);
  }

  #add(read: SmallFile): void {
    this.#files.push(read);
    this.#rows += read.users.length;
    this.#bytes += read.bytes;
    for (const { key, managerKey } of read.users) {
      this.#described.add(key);
      if (managerKey !== null) this.#named.add(managerKey);
    }
  }

  /** A user of two files has the values of the first one when the second one is planned; one who is named and then described is renamed. */
  #fits({ users, bytes, input }: SmallFile): boolean {
    const first = this.#files[0];
    if (first === undefined) return true;
    if (this.#files.length === mostFiles || this.#rows + users.length > mostRows) return false;
    if (this.#bytes + bytes > mostBytes || columnsOf(input) !== columnsOf(first.input)) return false;
    return users.every(({ key }) => !this.#described.has(key) && !this.#named.has(key));
  }
}

function columnsOf({ columns }: SmallFile['input']): string {
  return [...columns.standard.keys()].sort().join();
}

/** Files that can't be planned together are planned in halves, and the one that is the reason by itself. */
async function planHalves(input: PlanInput, files: readonly SmallFile[]): Promise<PlannedFile[]> {
  if (files.length === 0) return [];
  if (files.length === 1) return [await planFile(input, files[0]!.file, files[0]!.source)];
  const planned = await planGroup(input, files);
  if (planned !== null) {
    // A file of an earlier half may have been read again after these.
    for (const file of files) file.noteAgain();
    return planned;
  }
  const half = files.length >> 1;
  return [...(await planHalves(input, files.slice(0, half))), ...(await planHalves(input, files.slice(half)))];
}
