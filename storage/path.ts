/** Virtual paths: turns a client's bytes into a path, and checks names. */
import { dryRunRoot, readmePath, readOnlyRoots } from '../db/control/treelayout.js';
import { SpaceError } from './types.js';

export const maxNameBytes = 255;
export const maxDepth = 32;

/**
 * The text of a name or path as it came over the wire.
 * @throws SpaceError `bad_name` for bytes that are not UTF-8
 */
export function decodePath(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SpaceError('bad_name', 'a path that is not UTF-8', { cause });
  }
}

/**
 * The absolute form of a client's path: relative to the root, empty and `.` parts dropped, `..` stepping up
 * and never above the root.
 * @throws SpaceError `bad_name`
 */
export function normalizePath(asked: string): string {
  const names: string[] = [];
  for (const name of asked.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') names.pop();
    else names.push(name);
  }
  const path = `/${names.join('/')}`;
  checkPath(path);
  return path;
}

/**
 * Refuses a path that is not normalized, or has a name that no file may have.
 * @throws SpaceError `bad_name`
 */
export function checkPath(path: string): void {
  if (path === '/') return;
  const [root, ...names] = path.split('/');
  if (root !== '') throw new SpaceError('bad_name', `${path} is not absolute`);
  if (names.length > maxDepth)
    throw new SpaceError('bad_name', `a path of ${names.length} names; ${maxDepth} are allowed`);
  for (const name of names) checkName(name);
}

function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..') throw new SpaceError('bad_name', 'a path that is not normalized');
  if (name.includes('\0')) throw new SpaceError('bad_name', 'a name with a NUL');
  const bytes = Buffer.from(name);
  if (bytes.length > maxNameBytes)
    throw new SpaceError('bad_name', `a name of ${bytes.length} bytes; ${maxNameBytes} are allowed`);
  if (bytes.toString() !== name) throw new SpaceError('bad_name', 'a name that has no UTF-8 form');
}

/** With a line break a name could add lines to a summary, a log or a terminal. U+2028 and U+2029 are line breaks, too. */
const controlCharacter = /[\p{Cc}\u2028\u2029]/u;

/** Whether no new file or folder may have this name or path. */
export function hasControl(path: string): boolean {
  return controlCharacter.test(path);
}

/** Folder and name of a normalized path other than the root. */
export function splitPath(path: string): { dir: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { dir: path.slice(0, slash) || '/', name: path.slice(slash + 1) };
}

export function joinPath(dir: string, name: string): string {
  return dir === '/' ? `/${name}` : `${dir}/${name}`;
}

/** Whether a path is inside a folder, at any depth. */
export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder === '/' ? '/' : `${folder}/`) && path !== folder;
}

/** Whether only the server writes there. */
export function isReadOnly(path: string): boolean {
  return path === readmePath || readOnlyRoots.some((root) => path === root || isBelow(path, root));
}

/** Whether a folder always exists, with or without a row, and can't be removed or renamed. */
export function isFixed(path: string): boolean {
  return path === '/' || path === dryRunRoot || readOnlyRoots.includes(path);
}

/** @throws SpaceError `read_only` */
export function requireWritable(path: string): void {
  if (isReadOnly(path)) throw new SpaceError('read_only', `${path} is the server's`);
}

/** The byte order of two names in UTF-8, as the database lists them. */
export function compareNames(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
