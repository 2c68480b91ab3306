/** A space and its intake in memory: for tests of the protocol, which is about what they are asked, not how they store. */
import { createHash } from 'node:crypto';
import { Memory, type MemoryShare } from '../../intake/memory.js';
import type { Intake, Receipt, Upload } from '../../intake/types.js';
import { type Attributes, type Entry, type Reader, type Space, SpaceError } from '../../storage/types.js';

interface Node {
  kind: 'file' | 'dir';
  content: Buffer;
  attributes: Attributes;
}

export interface MemorySpace {
  space: Space;
  intake: Intake;
  /** What was published, by path. */
  files(): Record<string, string>;
  /** Every finished upload and every path that was removed or renamed, in order. */
  log: string[];
  /** Puts a file there, without an upload. */
  put(path: string, content: string | Buffer): void;
  /** Uploads in progress. */
  open: Set<Upload>;
  /** Each write waits for this. */
  beforeWrite: () => Promise<void>;
}

/** An account whose limits no test reaches. */
export function ampleMemory(): MemoryShare {
  return new Memory({ orgBytes: 2 ** 40, processBytes: 2 ** 40 }).open('acme');
}

const timeMs = Date.UTC(2026, 0, 31, 2);

export function memorySpace(org = 'acme'): MemorySpace {
  const nodes = new Map<string, Node>([
    ['/', newNode('dir')],
    ['/archive', newNode('dir')],
  ]);
  const log: string[] = [];
  const open = new Set<Upload>();
  const self: MemorySpace = {
    space: createSpace(org, nodes),
    intake: createIntake(nodes, log, open, () => self.beforeWrite()),
    files: () =>
      Object.fromEntries(
        [...nodes].filter(([, node]) => node.kind === 'file').map(([path, { content }]) => [path, content.toString()]),
      ),
    log,
    put: (path, content) => nodes.set(path, { ...newNode('file'), content: Buffer.from(content) }),
    open,
    beforeWrite: () => Promise.resolve(),
  };
  return self;
}

function newNode(kind: 'file' | 'dir', attributes: Partial<Attributes> = {}): Node {
  const mode = kind === 'dir' ? 0o755 : 0o644;
  return { kind, content: Buffer.alloc(0), attributes: { mode, mtimeMs: timeMs, atimeMs: timeMs, ...attributes } };
}

function entryOf(path: string, { kind, content, attributes }: Node): Entry {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { path, name, kind, size: content.length, writable: !isReadOnly(path), ...attributes };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function isReadOnly(path: string): boolean {
  return path === '/archive' || path.startsWith('/archive/');
}

function find(nodes: Map<string, Node>, path: string): Node {
  const node = nodes.get(path);
  if (node === undefined) throw new SpaceError('not_found', `${path} does not exist`);
  return node;
}

function checkWritable(path: string): void {
  if (isReadOnly(path)) throw new SpaceError('read_only', `${path} is read-only`);
}

function childrenOf(nodes: Map<string, Node>, dir: string): [string, Node][] {
  const prefix = dir === '/' ? '/' : `${dir}/`;
  return [...nodes]
    .filter(([path]) => path !== '/' && path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
    .sort(([left], [right]) => (left < right ? -1 : 1));
}

function createSpace(org: string, nodes: Map<string, Node>): Space {
  return {
    org,
    stat: async (path) => entryOf(path, find(nodes, path)),
    list: async (path, afterName, limit) =>
      childrenOf(nodes, path)
        .map(([child, node]) => entryOf(child, node))
        .filter(({ name }) => afterName === null || name > afterName)
        .slice(0, limit),
    async openRead(path): Promise<Reader> {
      const node = find(nodes, path);
      if (node.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder`);
      const { content } = node;
      return {
        entry: entryOf(path, node),
        read: async (offset, length) => content.subarray(offset, offset + length),
        checksum: async () => sha256(content),
        close: async () => {},
      };
    },
    checksum: async (path) => sha256(find(nodes, path).content),
    measure: async () => ({
      maxStoredBytes: 1_000_000,
      storedBytes: 250_000,
      maxFiles: 100,
      files: 3,
      maxNameBytes: 255,
    }),
    async mkdir(path, attributes) {
      checkWritable(path);
      if (nodes.has(path)) throw new SpaceError('exists', `${path} is there`);
      nodes.set(path, newNode('dir', attributes));
    },
    async rmdir(path) {
      if (childrenOf(nodes, path).length > 0) throw new SpaceError('not_empty', `${path} is not empty`);
      find(nodes, path);
      nodes.delete(path);
    },
    async setAttributes(path, attributes) {
      checkWritable(path);
      Object.assign(find(nodes, path).attributes, attributes);
    },
  };
}

function createIntake(
  nodes: Map<string, Node>,
  log: string[],
  open: Set<Upload>,
  beforeWrite: () => Promise<void>,
): Intake {
  return {
    memory: ampleMemory(),
    async begin(path, options) {
      checkWritable(path);
      const old = nodes.get(path);
      if (old === undefined && !options.create) throw new SpaceError('not_found', `${path} does not exist`);
      if (old !== undefined && options.exclusive) throw new SpaceError('exists', `${path} is there`);
      const node = newNode('file', old === undefined ? options.attributes : { mode: old.attributes.mode });
      if (old !== undefined && !options.truncate) node.content = old.content;
      const resize = (size: number): void => {
        const grown = Buffer.alloc(size);
        node.content.copy(grown);
        node.content = grown;
      };
      let failure: unknown = null;
      const upload: Upload = {
        path,
        isRemoved: false,
        entry: () => entryOf(path, node),
        async write(offset, bytes) {
          await beforeWrite().catch((cause) => {
            failure = cause;
            throw cause;
          });
          const at = options.append ? node.content.length : offset;
          if (node.content.length < at + bytes.length) resize(at + bytes.length);
          bytes.copy(node.content, at);
        },
        read: async (offset, length) => Buffer.from(node.content.subarray(offset, offset + length)),
        openView: () => ({
          entry: entryOf(path, node),
          read: (offset, length) => upload.read(offset, length),
          checksum: async () => null,
          close: async () => {},
        }),
        setSize: async (size) => resize(size),
        setAttributes: (attributes) => void Object.assign(node.attributes, attributes),
        sync: async () => void log.push(`sync ${path}`),
        async finish(): Promise<Receipt> {
          await Promise.resolve();
          open.delete(upload);
          if (failure !== null) throw failure;
          nodes.set(path, node);
          log.push(`finish ${path} ${node.content.length}`);
          return { uploadId: log.length, path, size: node.content.length, sha256: '', queued: true };
        },
        async abort() {
          open.delete(upload);
          log.push(`abort ${path}`);
        },
        pause: () => upload.abort(),
        discard: () => upload.abort(),
      };
      open.add(upload);
      return upload;
    },
    async remove(path) {
      find(nodes, path);
      nodes.delete(path);
      log.push(`remove ${path}`);
    },
    async rename(from, to, overwrite) {
      const node = find(nodes, from);
      if (nodes.has(to) && !overwrite) throw new SpaceError('exists', `${to} is there`);
      nodes.delete(from);
      nodes.set(to, node);
      log.push(`rename ${from} ${to}`);
    },
  };
}
