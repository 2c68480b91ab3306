/** The model's tree: what an organization's files should be, in a map. */

import { isBelow, isReadOnly, splitPath } from '../../storage/path.js';
import { checkPathLimits } from '../../storage/storagelimits.js';

/** null: a folder. */
type Node = Buffer | null;

const limits = { maxFolderDepth: 32, maxNameBytes: 255, maxFileBytes: 0, maxStoredBytes: 0, maxFiles: 0 };

export class Tree {
  readonly nodes = new Map<string, Node>();

  isFolder(path: string): boolean {
    return path === '/' || this.nodes.get(path) === null;
  }

  file(path: string): Buffer | null {
    return this.nodes.get(path) ?? null;
  }

  has(path: string): boolean {
    return path === '/' || this.nodes.has(path);
  }

  files(): Map<string, Buffer> {
    return new Map([...this.nodes].filter((entry): entry is [string, Buffer] => entry[1] !== null));
  }

  /** Whether a file may be opened there for writing. */
  mayOpen(path: string, { create, exclusive }: { create: boolean; exclusive: boolean }): boolean {
    if (path === '/' || isReadOnly(path) || this.isFolder(path)) return false;
    if (this.nodes.has(path)) return !exclusive;
    return create && isWithinLimits(path) && this.isFolder(splitPath(path).dir);
  }

  /** A file takes its place, and its folders are made where they went; false: something is in the way. */
  publish(path: string, content: Buffer): boolean {
    const folders = path
      .split('/')
      .slice(1, -1)
      .map((_, index, names) => `/${names.slice(0, index + 1).join('/')}`);
    if (this.isFolder(path) || folders.some((folder) => this.file(folder) !== null)) return false;
    for (const folder of folders) this.nodes.set(folder, null);
    this.nodes.set(path, content);
    return true;
  }

  makeFolder(path: string): boolean {
    if (this.has(path) || isReadOnly(path) || !isWithinLimits(path) || !this.isFolder(splitPath(path).dir))
      return false;
    this.nodes.set(path, null);
    return true;
  }

  removeFolder(path: string): boolean {
    if (path === '/' || !this.isFolder(path)) return false;
    if ([...this.nodes.keys()].some((other) => isBelow(other, path))) return false;
    return this.nodes.delete(path);
  }

  removeFile(path: string): boolean {
    return this.file(path) !== null && this.nodes.delete(path);
  }

  /** Whether a file that is not complete yet may get this name. */
  isFree(path: string, overwrite: boolean): boolean {
    if (path === '/' || isReadOnly(path) || this.isFolder(path) || !isWithinLimits(path)) return false;
    return this.isFolder(splitPath(path).dir) && (overwrite || !this.nodes.has(path));
  }

  rename(from: string, to: string, overwrite: boolean): boolean {
    const node = this.nodes.get(from);
    if (node === undefined || [from, to].some((path) => path === '/' || isReadOnly(path)) || !isWithinLimits(to))
      return false;
    if (from === to) return true;
    if (!this.isFolder(splitPath(to).dir)) return false;
    if (node === null) return this.#moveFolder(from, to);
    if (this.has(to) && (this.isFolder(to) || !overwrite)) return false;
    this.nodes.delete(from);
    this.nodes.set(to, node);
    return true;
  }

  #moveFolder(from: string, to: string): boolean {
    if (this.has(to) || isBelow(to, from)) return false;
    const inside = [...this.nodes].filter(([path]) => path === from || isBelow(path, from));
    for (const [path] of inside) this.nodes.delete(path);
    for (const [path, node] of inside) this.nodes.set(to + path.slice(from.length), node);
    return true;
  }
}

function isWithinLimits(path: string): boolean {
  try {
    checkPathLimits(path, limits);
    return true;
  } catch {
    return false;
  }
}
