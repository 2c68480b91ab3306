/**
 * What a session should do, told from the bytes that it is sent: every request in its turn, one after the other, on a tree
 * in memory. Where the protocol leaves the server a choice the model takes over what the server chose.
 */
import { createHash } from 'node:crypto';
import { decodePath, isBelow, isReadOnly, normalizePath, splitPath } from '../../storage/path.js';
import { FieldReader, Refusal, ShortPacket } from './reader.js';
import { Tree } from './tree.js';

export interface Answer {
  type: number;
  id: number;
  /** What follows the id. */
  body: FieldReader;
}

export type Verdict = string | null;

export interface Expectation {
  id: number;
  name: string;
  /** `after`: it is answered before anything else is sent; `both`: and everything before it is answered first. */
  barrier: 'none' | 'after' | 'both';
  /** null: the answer is right; else what is wrong with it. */
  check(answer: Answer): Verdict;
}

/** What the writers of a file share: see shared.ts, which says the same of several sessions. */
interface Draft {
  base: Buffer | null;
  /** The version that it began with, or published last. */
  last: Buffer | null;
  changes: { by: OpenUpload; apply(content: Buffer): Buffer }[];
  isSeparate: boolean;
  /** A writer of it failed, or is gone: what its readers see is not known. */
  isVague: boolean;
}

interface OpenUpload {
  kind: 'upload';
  path: string;
  draft: Draft;
  /** As its session sees it. */
  readonly content: Buffer;
  state: 'open' | 'closed' | 'dead';
  readable: boolean;
  appends: boolean;
  /** Its name was removed: nothing of it is published, and its CLOSE succeeds. */
  isRemoved: boolean;
  /** A request on it failed: nothing of it is published. */
  isPoisoned: boolean;
  /** Bytes from the start that came in one piece. */
  prefix: number;
  /** Bytes that came ahead of their turn, at most. */
  aheadBytes: number;
  /** Changes of what had come. */
  rewrites: number;
  rewrittenBytes: number;
}

type OpenHandle =
  | OpenUpload
  | { kind: 'reader'; path: string; readonly content: Buffer; draft?: Draft }
  | { kind: 'folder'; path: string };

export interface ModelLimits {
  maxFileBytes: number;
  maxHandles: number;
  uploadWindowBytes: number;
}

/** The server's fixed cost of a piece that waits, and of a new blob for a rewrite: beyond these it may refuse. */
const pieceBytes = 300;
const mostRewrites = 40;
const mostReadBytes = 255 * 1024;

export class Model {
  readonly tree = new Tree();
  readonly handles = new Map<string, OpenHandle>();

  readonly #limits: ModelLimits;

  constructor(limits: ModelLimits) {
    this.#limits = limits;
  }

  /** null: the packet is malformed, and ends the session. Changes the tree at once, unless the answer decides. */
  receive(packet: Buffer): Expectation | null {
    const reader = new FieldReader(packet);
    let id = 0;
    let type = 0;
    let hasRefused = false;
    try {
      type = reader.u8();
      id = reader.u32();
      return { id, ...this.#expect(type, reader) };
    } catch (error) {
      if (error instanceof Refusal) hasRefused = true;
      else if (!(error instanceof ShortPacket)) throw error;
    }
    return hasRefused ? { id, name: String(type), ...refused } : null;
  }

  /** The session is over: what is open is gone. */
  end(): void {
    this.handles.clear();
  }

  #expect(type: number, reader: FieldReader): Omit<Expectation, 'id'> {
    const name = type === 200 ? reader.string().toString('latin1') : String(type);
    const find = table[name];
    if (find === undefined) return { name, ...refused };
    return { name, ...find(this, reader) };
  }

  open(reader: FieldReader): Outcome {
    const path = readPath(reader);
    const flags = reader.u32();
    reader.attributes();
    const isSet = (flag: number) => (flags & flag) !== 0;
    // A CLOSE that comes right behind may make room in time.
    if (this.handles.size >= this.#limits.maxHandles) return { ...refused, barrier: 'both' };
    if (!isSet(2) && !isSet(4)) {
      const own = isSet(32) ? null : this.#ownUpload(path);
      if (own !== null) return alone((answer) => this.#adoptHandle(answer, viewOf(own), true));
      const content = this.tree.file(path);
      const handle = { kind: 'reader' as const, path, content: content ?? Buffer.alloc(0) };
      if (isSet(8) && !isReadOnly(path) && (content === null || isSet(32))) return this.#createEmpty(handle);
      if (isReadOnly(path) || !isSet(1)) return alone((answer) => this.#adoptHandle(answer, handle, 'maybe'));
      return alone((answer) => this.#adoptHandle(answer, handle, content !== null));
    }
    const own = this.#ownUpload(path);
    const mayOpen =
      own !== null && this.tree.file(path) === null
        ? this.tree.mayOpen(path, { create: true, exclusive: false }) && !isSet(32)
        : this.tree.mayOpen(path, { create: isSet(8), exclusive: isSet(32) });
    const found = this.tree.file(path);
    const draft = isSet(16) ? newDraft(found, true) : (own?.draft ?? newDraft(found, false));
    const base = isSet(16) ? null : replay(draft, ({ state }) => state !== 'dead');
    const upload: OpenUpload = {
      kind: 'upload',
      path,
      draft,
      get content() {
        return replay(draft, ({ state }) => state !== 'dead');
      },
      state: 'open',
      readable: isSet(1),
      appends: isSet(4),
      isRemoved: false,
      isPoisoned: false,
      prefix: base?.length ?? 0,
      aheadBytes: 0,
      rewrites: 0,
      rewrittenBytes: 0,
    };
    if (isSet(16)) draft.changes.push({ by: upload, apply: () => Buffer.alloc(0) });
    return alone((answer) => this.#adoptHandle(answer, upload, mayOpen));
  }

  /** CREAT without WRITE: an empty file at once. */
  #createEmpty(handle: Extract<OpenHandle, { kind: 'reader' }>): Outcome {
    const { path } = handle;
    const isOpen = [...this.handles.values()].some(
      (other) => other.kind === 'upload' && other.path === path && !other.isRemoved,
    );
    const mayOpen = !isOpen && this.tree.mayOpen(path, { create: true, exclusive: true });
    if (mayOpen) this.tree.publish(path, handle.content);
    return alone((answer) => this.#adoptHandle(answer, handle, mayOpen));
  }

  openFolder(reader: FieldReader): Outcome {
    const path = readPath(reader);
    const isThere = this.handles.size < this.#limits.maxHandles && this.tree.isFolder(path);
    const outcome = isReadOnly(path) && this.handles.size < this.#limits.maxHandles ? ('maybe' as const) : isThere;
    return alone((answer) => this.#adoptHandle(answer, { kind: 'folder', path }, outcome));
  }

  #adoptHandle(answer: Answer, handle: OpenHandle, isExpected: boolean | 'maybe'): Verdict {
    if (answer.type !== 102) return isExpected === true ? wrong(answer, 'a handle') : isRefusal(answer);
    if (isExpected === false) return wrong(answer, 'a refusal');
    const name = answer.body.string().toString('hex');
    if (this.handles.has(name)) return 'the handle is in use already';
    this.handles.set(name, handle);
    return null;
  }

  close(reader: FieldReader): Outcome {
    const name = reader.string().toString('hex');
    const handle = this.handles.get(name);
    if (handle === undefined) return refused;
    this.handles.delete(name);
    if (handle.kind !== 'upload') return done;
    if (!handle.isRemoved && !handle.isPoisoned && this.#publish(handle)) return done;
    const outcome = handle.isRemoved ? done : refused;
    handle.state = 'dead';
    handle.draft.isVague ||= handle.isPoisoned || handle.draft.isSeparate;
    return outcome;
  }

  #publish(handle: OpenUpload): boolean {
    const { draft, path } = handle;
    const found = this.tree.file(path);
    const isSame = found === null || found === draft.last;
    const base = found === null && draft.isSeparate ? null : isSame ? draft.base : found;
    const changes = isSame ? draft.changes : draft.changes.filter(({ by }) => by === handle || by.state !== 'closed');
    const last = replay({ base, changes }, (by) => by === handle || by.state === 'closed');
    if (last.length > this.#limits.maxFileBytes || !this.tree.publish(path, last)) return false;
    handle.state = 'closed';
    Object.assign(draft, { base, changes, last });
    const isBelowOthers = changes.some(({ by }) => by.state === 'open');
    if (!isBelowOthers) Object.assign(draft, { base: last, changes: [], isSeparate: false });
    return true;
  }

  read(reader: FieldReader): Outcome {
    const handle = this.#handle(reader);
    const offset = reader.u64();
    const length = Math.min(reader.u32(), mostReadBytes);
    if (handle.kind === 'folder' || (handle.kind === 'upload' && !handle.readable)) return refused;
    if (handle.draft?.isVague) return anything;
    const { content, path } = handle;
    if (isReadOnly(path)) return anything;
    const expected = content.subarray(offset, offset + length);
    return {
      barrier: 'none',
      check(answer) {
        if (answer.type === 101)
          return expected.length === 0 && answer.body.u32() === 1 ? null : wrong(answer, `${expected.length} bytes`);
        const got = answer.type === 103 ? answer.body.string() : null;
        const isRight = got !== null && got.length > 0 && got.equals(expected.subarray(0, got.length));
        return isRight ? null : wrong(answer, `${expected.length} bytes of ${path} from ${offset}`);
      },
    };
  }

  write(reader: FieldReader): Outcome {
    const handle = this.#handle(reader);
    const asked = reader.u64();
    const bytes = reader.string();
    return handle.kind === 'upload' ? this.#change(handle, asked, bytes) : refused;
  }

  #change(handle: OpenUpload, asked: number, bytes: Buffer): Outcome {
    if (handle.isPoisoned) return anything;
    const offset = handle.appends ? handle.content.length : asked;
    const end = offset + bytes.length;
    const apply = () => overwrite(handle, offset, bytes);
    if (bytes.length === 0) return done;
    if (end > this.#limits.maxFileBytes) return this.#poison(handle);
    if (offset < handle.content.length) {
      handle.rewrites++;
      handle.rewrittenBytes += bytes.length;
    }
    if (offset > handle.prefix) handle.aheadBytes += bytes.length + pieceBytes;
    const isMuch = handle.rewrites > mostRewrites || handle.rewrittenBytes > this.#limits.maxFileBytes;
    if (handle.aheadBytes > this.#limits.uploadWindowBytes || isMuch) return this.#adoptChange(handle, apply);
    apply();
    return done;
  }

  #poison(handle: OpenUpload): Outcome {
    handle.isPoisoned = handle.draft.isVague = true;
    return refused;
  }

  #adoptChange(handle: OpenUpload, apply: () => void): Outcome {
    return alone((answer) => {
      if (isDone(answer)) apply();
      else handle.isPoisoned = handle.draft.isVague = true;
      return isStatus(answer);
    });
  }

  copy(reader: FieldReader): Outcome {
    const from = this.#handle(reader);
    const [fromOffset, length] = [reader.u64(), reader.u64()];
    const to = this.#handle(reader);
    const toOffset = reader.u64();
    if (to.kind !== 'upload' || from === to || !isReadable(from)) return refused;
    if (from.kind === 'upload' && from.isPoisoned) return refused;
    if (from.draft?.isVague) return { ...anything, barrier: 'both' };
    const bytes = from.content.subarray(fromOffset, length === 0 ? undefined : fromOffset + length);
    const outcome = bytes.length === 0 ? done : this.#change(to, toOffset, bytes);
    if (bytes.length === 0 || outcome === done) return length > bytes.length ? refused : done;
    if (outcome.barrier === 'none') return outcome;
    return alone((answer) => {
      const isEnd = answer.type === 101 && answer.body.peek32() === 1;
      return outcome.check(isEnd ? { ...answer, body: new FieldReader(Buffer.alloc(4)) } : answer);
    });
  }

  check(reader: FieldReader, echo: boolean): Outcome {
    const handle = this.#handle(reader);
    const range = readRange(reader);
    if (!isReadable(handle)) return refused;
    if (isReadOnly(handle.path) || handle.draft?.isVague) return anything;
    return hashIs(handle.content, range, echo);
  }

  checkPath(reader: FieldReader): Outcome {
    const path = readPath(reader);
    const range = readRange(reader);
    if (isReadOnly(path)) return anything;
    const content = this.tree.file(path);
    return content === null ? refused : hashIs(content, range, false);
  }

  room(reader: FieldReader): Outcome {
    const path = readPath(reader);
    if (isReadOnly(path)) return anything;
    return this.#ownUpload(path) !== null || this.tree.has(path) ? extended : refused;
  }

  statRoom(reader: FieldReader): Outcome {
    return this.#handle(reader).kind === 'folder' ? { ...anything, barrier: 'both' } : extended;
  }

  setSize(handle: OpenUpload, size: number | null): Outcome {
    if (handle.isPoisoned) return anything;
    if (size === null) return done;
    if (size > this.#limits.maxFileBytes) return this.#poison(handle);
    const apply = () => resize(handle, size);
    if (++handle.rewrites > mostRewrites) return this.#adoptChange(handle, apply);
    apply();
    return done;
  }

  statPath(reader: FieldReader): Outcome {
    const path = readPath(reader);
    const own = this.#ownUpload(path);
    if (own !== null) return own.draft.isVague ? anything : { ...sizeIs(own.content.length), barrier: 'after' };
    if (isReadOnly(path)) return anything;
    if (this.tree.isFolder(path)) return sizeIs(0);
    const content = this.tree.file(path);
    return content === null ? refused : sizeIs(content.length);
  }

  statHandle(reader: FieldReader): Outcome {
    const handle = this.#handle(reader);
    if (handle.kind === 'folder' || isReadOnly(handle.path)) return { ...anything, barrier: 'both' };
    if (handle.draft?.isVague) return anything;
    return sizeIs(handle.content.length);
  }

  setPath(reader: FieldReader): Outcome {
    const path = readPath(reader);
    const size = reader.attributes();
    const own = this.#ownUpload(path);
    if (own !== null) {
      const outcome = this.setSize(own, size);
      return outcome.barrier === 'none' ? { ...outcome, barrier: 'after' } : outcome;
    }
    if (path === '/') return size === null ? done : refused;
    if (isReadOnly(path)) return refused;
    const content = this.tree.file(path);
    if (size === null) return this.tree.has(path) ? done : refused;
    if (content === null || size > this.#limits.maxFileBytes) return refused;
    const grown = Buffer.alloc(size);
    content.copy(grown);
    this.tree.nodes.set(path, grown);
    return done;
  }

  setHandle(reader: FieldReader): Outcome {
    const handle = this.#handle(reader);
    const size = reader.attributes();
    if (handle.kind === 'upload') return this.setSize(handle, size);
    return { ...anything, barrier: 'both' };
  }

  sync(reader: FieldReader): Outcome {
    const handle = this.#handle(reader);
    if (handle.kind !== 'upload') return refused;
    return handle.isPoisoned ? anything : done;
  }

  list(reader: FieldReader): Outcome {
    return this.#handle(reader).kind === 'folder' ? names : refused;
  }

  #handle(reader: FieldReader): OpenHandle {
    const handle = this.handles.get(reader.string().toString('hex'));
    if (handle === undefined) throw new Refusal();
    return handle;
  }

  removeFile(reader: FieldReader): Outcome {
    const path = writablePath(reader);
    const isOpen = this.#ownUpload(path) !== null;
    if (!this.tree.removeFile(path) && (!isOpen || this.tree.isFolder(path))) return refused;
    for (const upload of this.#uploads()) upload.isRemoved ||= upload.path === path;
    return done;
  }

  /** Uploads in progress go with their names. */
  rename(reader: FieldReader, overwrite: boolean): Outcome {
    const [from, to] = [readPath(reader), readPath(reader)];
    const isOpen = !this.tree.has(from) && this.#ownUpload(from) !== null;
    if (from !== to && this.#ownUpload(to) !== null && (!overwrite || this.tree.isFolder(from))) return refused;
    if (!(isOpen ? this.tree.isFree(to, overwrite) : this.tree.rename(from, to, overwrite))) return refused;
    for (const upload of this.#uploads())
      if (upload.path === from || isBelow(upload.path, from)) upload.path = to + upload.path.slice(from.length);
    return done;
  }

  makeFolder(path: string): Outcome {
    return toOutcome(this.#ownUpload(path) === null && this.tree.makeFolder(path));
  }

  removeFolder(path: string): Outcome {
    const hasOwn = this.#uploads().some((upload) => splitPath(upload.path).dir === path);
    return toOutcome(!hasOwn && this.tree.removeFolder(path));
  }

  #uploads(): OpenUpload[] {
    return [...this.handles.values()].filter((handle) => handle.kind === 'upload' && !handle.isRemoved) as OpenUpload[];
  }

  #ownUpload(path: string): OpenUpload | null {
    let found: OpenUpload | null = null;
    for (const handle of this.#uploads()) if (handle.path === path) found = handle;
    return found;
  }
}

function isReadable(handle: OpenHandle): handle is Exclude<OpenHandle, { kind: 'folder' }> {
  return handle.kind === 'reader' || (handle.kind === 'upload' && handle.readable);
}

interface HashRange {
  algorithm: string | undefined;
  offset: number;
  length: number;
  blockBytes: number;
}

const hashes = ['sha256', 'sha512', 'sha384', 'sha224', 'sha1', 'md5'];
const mostHashBytes = 32 * 1024;

function readRange(reader: FieldReader): HashRange {
  const asked = reader.string().toString('latin1').split(',');
  const [offset, length, blockBytes] = [reader.u64(), reader.u64(), reader.u32()];
  return { algorithm: asked.find((name) => hashes.includes(name)), offset, length, blockBytes };
}

function hashIs(content: Buffer, { algorithm, offset, length, blockBytes }: HashRange, echo: boolean): Outcome {
  if (algorithm === undefined || (blockBytes > 0 && blockBytes < 256)) return refused;
  const bytes = content.subarray(offset, length === 0 ? undefined : offset + length);
  const step = blockBytes === 0 ? Math.max(1, bytes.length) : blockBytes;
  const digests: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += step)
    digests.push(
      createHash(algorithm)
        .update(bytes.subarray(at, at + step))
        .digest(),
    );
  const expected = Buffer.concat(digests);
  if (expected.length > mostHashBytes) return refused;
  return {
    barrier: 'none',
    check(answer) {
      if (answer.type !== 201) return wrong(answer, `${algorithm} of ${bytes.length} bytes`);
      if (echo) answer.body.string();
      const isRight =
        answer.body.string().toString() === algorithm && answer.body.take(expected.length).equals(expected);
      return isRight ? null : `another ${algorithm}`;
    },
  };
}

function namesOf(reader: FieldReader): Outcome {
  for (const ids of [reader.string(), reader.string()]) if (ids.length % 4 !== 0) throw new ShortPacket();
  return extended;
}

function homeOf(reader: FieldReader): Outcome {
  const user = readText(reader);
  return user === '' ? pathIs('/') : refused;
}

function expanded(reader: FieldReader): Outcome {
  const asked = readText(reader);
  const [, user = '', rest = asked] = /^~([^/]*)(.*)$/s.exec(asked) ?? [];
  const path = toPath(rest);
  return user === '' ? pathIs(path) : refused;
}

type Outcome = Pick<Expectation, 'barrier' | 'check'>;

const done: Outcome = { barrier: 'none', check: (answer) => (isDone(answer) ? null : wrong(answer, 'OK')) };
const refused: Outcome = { barrier: 'none', check: (answer) => isRefusal(answer) };
/** Only that there is an answer. */
const anything: Outcome = { barrier: 'none', check: () => null };

const extended: Outcome = {
  barrier: 'none',
  check: (answer) => (answer.type === 201 ? null : wrong(answer, 'an extended reply')),
};

/** A page of names, or the end. What they are is looked at when the session is over. */
const names: Outcome = {
  barrier: 'both',
  check: (answer) => (answer.type === 101 || answer.type === 104 ? null : wrong(answer, 'names')),
};

function alone(check: Expectation['check']): Outcome {
  return { barrier: 'both', check };
}

function sizeIs(size: number): Outcome {
  return {
    barrier: 'none',
    check(answer) {
      if (answer.type !== 105) return wrong(answer, `the size ${size}`);
      answer.body.u32();
      const told = answer.body.u64();
      return told === size ? null : `the size ${told} instead of ${size}`;
    },
  };
}

/** By the request's number, or the extension's name. What is not here is refused. */
const table: Record<string, (model: Model, reader: FieldReader) => Outcome> = {
  3: (model, reader) => model.open(reader),
  4: (model, reader) => model.close(reader),
  5: (model, reader) => model.read(reader),
  6: (model, reader) => model.write(reader),
  7: (model, reader) => model.statPath(reader),
  8: (model, reader) => model.statHandle(reader),
  9: (model, reader) => model.setPath(reader),
  10: (model, reader) => model.setHandle(reader),
  11: (model, reader) => model.openFolder(reader),
  12: (model, reader) => model.list(reader),
  13: (model, reader) => model.removeFile(reader),
  14: (model, reader) => {
    const path = readPath(reader);
    reader.attributes();
    return model.makeFolder(path);
  },
  15: (model, reader) => model.removeFolder(writablePath(reader)),
  16: (_model, reader) => pathIs(readPath(reader)),
  17: (model, reader) => model.statPath(reader),
  18: (model, reader) => model.rename(reader, false),
  'posix-rename@openssh.com': (model, reader) => model.rename(reader, true),
  'fsync@openssh.com': (model, reader) => model.sync(reader),
  'lsetstat@openssh.com': (model, reader) => model.setPath(reader),
  'limits@openssh.com': () => extended,
  'statvfs@openssh.com': (model, reader) => model.room(reader),
  'fstatvfs@openssh.com': (model, reader) => model.statRoom(reader),
  'copy-data': (model, reader) => model.copy(reader),
  'check-file': (model, reader) => model.check(reader, true),
  'check-file-handle': (model, reader) => model.check(reader, false),
  'check-file-name': (model, reader) => model.checkPath(reader),
  'expand-path@openssh.com': (_model, reader) => expanded(reader),
  'home-directory': (_model, reader) => homeOf(reader),
  'users-groups-by-id@openssh.com': (_model, reader) => namesOf(reader),
};

function toOutcome(isDone: boolean): Outcome {
  return isDone ? done : refused;
}

function pathIs(path: string): Outcome {
  return {
    barrier: 'none',
    check(answer) {
      if (answer.type !== 104) return wrong(answer, 'a path');
      answer.body.u32();
      return answer.body.string().toString() === path ? null : `another path than ${path}`;
    },
  };
}

function readPath(reader: FieldReader): string {
  return toPath(readText(reader));
}

function readText(reader: FieldReader): string {
  const bytes = reader.string();
  try {
    return decodePath(bytes);
  } catch {
    throw new Refusal();
  }
}

function toPath(text: string): string {
  try {
    return normalizePath(text);
  } catch {
    throw new Refusal();
  }
}

function writablePath(reader: FieldReader): string {
  const path = readPath(reader);
  if (isReadOnly(path)) throw new Refusal();
  return path;
}

function newDraft(found: Buffer | null, isSeparate: boolean): Draft {
  return { base: found, last: found, changes: [], isSeparate, isVague: false };
}

function replay({ base, changes }: Pick<Draft, 'base' | 'changes'>, counts: (by: OpenUpload) => boolean): Buffer {
  return changes.reduce((content, { by, apply }) => (counts(by) ? apply(content) : content), base ?? Buffer.alloc(0));
}

function viewOf(upload: OpenUpload): OpenHandle {
  const { path, draft } = upload;
  return {
    kind: 'reader',
    path,
    draft,
    get content() {
      return replay(draft, ({ state }) => state !== 'dead');
    },
  };
}

function overwrite(handle: OpenUpload, offset: number, bytes: Buffer): void {
  const kept = Buffer.from(bytes);
  const apply = (content: Buffer) => {
    const at = handle.appends ? content.length : offset;
    const next = sized(content, Math.max(content.length, at + kept.length));
    kept.copy(next, at);
    return next;
  };
  handle.draft.changes.push({ by: handle, apply });
  if (offset <= handle.prefix) handle.prefix = Math.max(handle.prefix, offset + bytes.length);
}

function resize(handle: OpenUpload, size: number): void {
  handle.draft.changes.push({ by: handle, apply: (content) => sized(content, size) });
  handle.prefix = Math.min(handle.prefix, size);
}

function sized(content: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  content.copy(next);
  return next;
}

function isDone({ type, body }: Answer): boolean {
  return type === 101 && body.u32() === 0;
}

function isRefusal(answer: Answer): Verdict {
  return answer.type === 101 && answer.body.u32() !== 0 ? null : wrong(answer, 'a refusal');
}

function isStatus(answer: Answer): Verdict {
  return answer.type === 101 ? null : wrong(answer, 'a status');
}

function wrong({ type }: Answer, expected: string): string {
  return `an answer of type ${type} where ${expected} was due`;
}
