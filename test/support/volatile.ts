/**
 * A disk in memory that can lose power: what was not synced may be gone, or there in any part and order. As POSIX has it,
 * which is less than most file systems give: a file's bytes last once the file is synced, a name once its folder is.
 */
import { EventEmitter } from 'node:events';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { writeFile } from '../../storage/destination.js';
import type { Disk, DiskFile } from '../../storage/disk.js';
import type { FileAnswer, FileJob } from '../../storage/filethread.js';

/** A file's bytes, whatever names it has. */
interface Content {
  bytes: Buffer;
  /** So many of them last. */
  lasting: number;
}

/** What a name stands for; a folder is its path. */
type Node = Content | 'folder';

interface NameChange {
  name: string;
  /** null: the name is gone. */
  node: Node | null;
}

interface Folder {
  names: Map<string, Node>;
  lasting: Map<string, Node>;
  /** Not synced yet, oldest first. */
  changes: NameChange[];
}

export class VolatileDisk implements Disk {
  readonly #folders = new Map<string, Folder>();

  /** `root` is there, and lasts. */
  constructor(root: string) {
    this.#folders.set(root, newFolder());
  }

  async create(path: string): Promise<DiskFile> {
    const folder = this.#folder(dirname(path));
    const content: Content = { bytes: Buffer.alloc(0), lasting: 0 };
    change(folder, { name: nameOf(path), node: content });
    return this.#file(content);
  }

  async open(path: string): Promise<DiskFile> {
    return this.#file(this.#content(path));
  }

  async makeFolder(path: string): Promise<boolean> {
    if (this.#folders.has(path)) return false;
    await this.makeFolder(dirname(path));
    change(this.#folder(dirname(path)), { name: nameOf(path), node: 'folder' });
    this.#folders.set(path, newFolder());
    return true;
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.#content(from);
    change(this.#folder(dirname(to)), { name: nameOf(to), node: content });
    change(this.#folder(dirname(from)), { name: nameOf(from), node: null });
  }

  async remove(path: string): Promise<void> {
    const folder = this.#folder(dirname(path));
    if (folder.names.has(nameOf(path))) change(folder, { name: nameOf(path), node: null });
  }

  /** Covers what was done before it began, and nothing that is done while it goes on. */
  async syncFolder(path: string): Promise<void> {
    const folder = this.#folder(path);
    const covered = folder.changes.length;
    await turn();
    for (const { name, node } of folder.changes.splice(0, covered)) put(folder.lasting, name, node);
  }

  async list(path: string): Promise<string[]> {
    return [...(this.#folders.get(path)?.names.keys() ?? [])];
  }

  async stat(path: string): Promise<{ size: number; mtimeMs: number } | null> {
    const node = this.#folders.get(dirname(path))?.names.get(nameOf(path));
    return node === undefined || node === 'folder' ? null : { size: node.bytes.length, mtimeMs: 0 };
  }

  async freeBytes(): Promise<number> {
    return 2 ** 40;
  }

  /**
   * What is under each path after a power cut at this moment. `survives` decides, of each change that was not synced,
   * whether it is there all the same, and of bytes that were not synced, how many are (0 to below 1).
   */
  afterPowerCut(root: string, survives: () => number): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    const walk = (path: string) => {
      const folder = this.#folders.get(path)!;
      const names = new Map(folder.lasting);
      for (const { name, node } of folder.changes) if (survives() > 0.5) put(names, name, node);
      for (const [name, node] of names) {
        if (node === 'folder') walk(join(path, name));
        else found.set(join(path, name), cut(node, survives()));
      }
    };
    walk(root);
    return found;
  }

  /** The disk after a power cut at this moment: all that is there lasts. */
  restart(root: string, survives: () => number): VolatileDisk {
    const next = new VolatileDisk(root);
    for (const [path, bytes] of this.afterPowerCut(root, survives)) {
      next.#addFolder(dirname(path));
      put(next.#folders.get(dirname(path))!.names, nameOf(path), { bytes, lasting: bytes.length });
      put(next.#folders.get(dirname(path))!.lasting, nameOf(path), { bytes, lasting: bytes.length });
    }
    return next;
  }

  #addFolder(path: string): void {
    if (this.#folders.has(path)) return;
    this.#addFolder(dirname(path));
    const above = this.#folders.get(dirname(path))!;
    for (const names of [above.names, above.lasting]) put(names, nameOf(path), 'folder');
    this.#folders.set(path, newFolder());
  }

  #file(content: Content): DiskFile {
    const sync = async () => {
      const covered = content.bytes.length;
      await turn();
      content.lasting = Math.max(content.lasting, covered);
    };
    return { ...fileOf(content), sync, datasync: sync };
  }

  #folder(path: string): Folder {
    const folder = this.#folders.get(path);
    if (folder === undefined) throw missing(path);
    return folder;
  }

  #content(path: string): Content {
    const node = this.#folder(dirname(path)).names.get(nameOf(path));
    if (node === undefined || node === 'folder') throw missing(path);
    return node;
  }
}

/** Leaves out the sync of those folders. */
export function withoutSync(disk: Disk, folders: RegExp): Disk {
  return { ...bind(disk), syncFolder: async (path) => (folders.test(path) ? undefined : disk.syncFolder(path)) };
}

/** Stands for the thread of small files: it does the same with that disk, one call of it after the other, amid those of others. */
export function startThreadOn(disk: Disk): Worker {
  const answers = new EventEmitter();
  const answer = (number: number, { error = null, failed = [] }: Partial<FileAnswer>) =>
    answers.emit('message', { number, error, failed } satisfies FileAnswer);
  const work = async (job: FileJob): Promise<Partial<FileAnswer>> => {
    if (job.kind === 'write') {
      await turn();
      try {
        await writeFile(disk, job.path, Buffer.from(job.bytes));
        return {};
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        return { error: { code, message } };
      }
    }
    const failed: string[] = [];
    for (const path of job.paths) {
      const sync = async () => (await disk.open(path)).sync();
      await sync().catch(() => failed.push(path));
      await turn();
    }
    return { failed };
  };
  const thread = {
    postMessage: (job: FileJob) => void work(job).then((done) => answer(job.number, done)),
    ref: () => {},
    unref: () => {},
    terminate: async () => void answers.emit('exit', 1),
  };
  return Object.assign(answers, thread) as unknown as Worker;
}

/** An object of its own methods, which can be spread. */
export function bind(disk: Disk): Disk {
  return {
    create: (path) => disk.create(path),
    open: (path) => disk.open(path),
    makeFolder: (path) => disk.makeFolder(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncFolder: (path) => disk.syncFolder(path),
    list: (path) => disk.list(path),
    stat: (path) => disk.stat(path),
    freeBytes: (path) => disk.freeBytes(path),
  };
}

/** A file that holds these bytes. */
export function bufferFile(bytes: Buffer): DiskFile {
  return fileOf({ bytes, lasting: bytes.length });
}

function fileOf(content: Content): DiskFile {
  return {
    read: async (memory, offset, length, position) => ({
      bytesRead: content.bytes.copy(memory, offset, position, position + length),
    }),
    writev: async (pieces) => {
      const before = content.bytes.length;
      content.bytes = Buffer.concat([content.bytes, ...pieces]);
      return { bytesWritten: content.bytes.length - before };
    },
    stat: async () => ({ size: content.bytes.length }),
    sync: async () => {},
    datasync: async () => {},
    close: async () => {},
  };
}

function newFolder(): Folder {
  return { names: new Map(), lasting: new Map(), changes: [] };
}

function change(folder: Folder, made: NameChange): void {
  put(folder.names, made.name, made.node);
  folder.changes.push(made);
}

function put(names: Map<string, Node>, name: string, node: Node | null): void {
  if (node === null) names.delete(name);
  else names.set(name, node);
}

function cut({ bytes, lasting }: Content, share: number): Buffer {
  return bytes.subarray(0, lasting + Math.floor((bytes.length - lasting) * share));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Others go on meanwhile. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
}
