/**
 * What several sessions of one organization should see of its files: the published versions, and the uploads in progress.
 * An OPEN with truncation begins a draft of its own, and other writers share one. A CLOSE publishes what the closed writers
 * of its draft did, in the order in which they did it, on top of what was published before.
 */

export interface Version {
  content: Buffer;
}

interface Change {
  by: Writer;
  apply(content: Buffer): Buffer;
}

export interface Draft {
  /** What the changes begin with; null: nothing. */
  base: Version | null;
  /** The version that the draft began with, or published last. */
  last: Version | null;
  changes: Change[];
  /** Began with a truncation: other sessions do not join it. */
  isSeparate: boolean;
  writers: Set<Writer>;
}

export interface Writer {
  session: number;
  path: string;
  draft: Draft;
  appends: boolean;
  readable: boolean;
  isRemoved: boolean;
  state: 'open' | 'closed' | 'dead';
}

export interface OpenMode {
  readable: boolean;
  creates: boolean;
  truncates: boolean;
  exclusive: boolean;
  appends: boolean;
}

export class SharedFiles {
  readonly published = new Map<string, Version>();
  /** In the order of their OPEN. */
  readonly writers = new Set<Writer>();

  /** null: refused. */
  open(session: number, path: string, mode: OpenMode): Writer | null {
    const own = this.#own(session, path);
    const found = this.published.get(path) ?? null;
    const exists = found !== null || own !== null;
    if (exists ? mode.exclusive : !mode.creates) return null;
    const draft = mode.truncates ? newDraft(found, true) : (own?.draft ?? this.#shared(path, found) ?? newDraft(found));
    const { readable, appends } = mode;
    const writer: Writer = { session, path, draft, readable, appends, isRemoved: false, state: 'open' };
    draft.writers.add(writer);
    this.writers.add(writer);
    if (mode.truncates) this.#change(writer, (content) => resize(content, 0));
    return writer;
  }

  write(writer: Writer, offset: number, bytes: Buffer): void {
    this.#change(writer, (content) => {
      const at = writer.appends ? content.length : offset;
      const next = resize(content, Math.max(content.length, at + bytes.length));
      bytes.copy(next, at);
      return next;
    });
  }

  resize(writer: Writer, size: number): void {
    this.#change(writer, (content) => resize(content, size));
  }

  view({ draft }: Writer): Buffer {
    return replay(draft, ({ state }) => state !== 'dead');
  }

  close(writer: Writer): void {
    this.writers.delete(writer);
    if (writer.isRemoved) {
      this.#drop(writer);
      return;
    }
    const { draft, path } = writer;
    writer.state = 'closed';
    const found = this.published.get(path) ?? null;
    if (found === null && draft.isSeparate) draft.base = null;
    if (found !== null && found !== draft.last) {
      draft.changes = draft.changes.filter(({ by }) => by === writer || by.state !== 'closed');
      draft.base = found;
    }
    draft.last = { content: replay(draft, ({ state }) => state === 'closed') };
    this.published.set(path, draft.last);
    if ([...this.writers].some((other) => other.draft === draft && draft.changes.some(({ by }) => by === other)))
      return;
    Object.assign(draft, { base: draft.last, changes: [], isSeparate: false });
  }

  /** Its connection is lost. */
  die(session: number): void {
    for (const writer of [...this.writers]) if (writer.session === session) this.#drop(writer);
  }

  /** The file as a session sees it; null: none. */
  look(session: number, path: string): Buffer | null {
    const own = this.#own(session, path);
    return own === null ? (this.published.get(path)?.content ?? null) : this.view(own);
  }

  names(session: number): string[] {
    const own = [...this.writers].filter((writer) => writer.session === session && !writer.isRemoved);
    return [...new Set([...this.published.keys(), ...own.map(({ path }) => path)])].sort();
  }

  /** false: refused, as the functions below. */
  resizePath(session: number, path: string, size: number): boolean {
    const own = this.#own(session, path);
    if (own !== null) this.resize(own, size);
    else {
      const mode = { readable: false, creates: false, truncates: false, exclusive: false, appends: false };
      if (this.published.get(path)?.content.length === size) return true;
      const writer = this.open(session, path, mode);
      if (writer === null) return false;
      this.resize(writer, size);
      this.close(writer);
    }
    return true;
  }

  remove(session: number, path: string): boolean {
    const own = [...this.writers].filter((writer) => isAt(writer, session, path));
    if (!this.published.delete(path) && own.length === 0) return false;
    for (const writer of own) writer.isRemoved = true;
    return true;
  }

  rename(session: number, from: string, to: string, overwrites: boolean): boolean {
    const own = [...this.writers].filter((writer) => isAt(writer, session, from));
    const found = this.published.get(from);
    if (found === undefined && own.length === 0) return false;
    if (from === to) return true;
    if ((this.published.has(to) || this.#own(session, to) !== null) && !overwrites) return false;
    if (found !== undefined) {
      this.published.delete(from);
      this.published.set(to, found);
    }
    // An upload in progress replaces the file: it is not laid over it.
    const replaced = this.published.get(to);
    if (found === undefined && replaced !== undefined) for (const { draft } of own) draft.last = replaced;
    for (const { draft } of own) for (const writer of draft.writers) if (!writer.isRemoved) writer.path = to;
    return true;
  }

  #change(by: Writer, apply: Change['apply']): void {
    by.draft.changes.push({ by, apply });
  }

  #drop(writer: Writer): void {
    this.writers.delete(writer);
    writer.state = 'dead';
  }

  #own(session: number, path: string): Writer | null {
    return [...this.writers].filter((writer) => isAt(writer, session, path)).at(-1) ?? null;
  }

  /** The draft that writers of every session share; one that another version has overtaken takes no more of them. */
  #shared(path: string, found: Version | null): Draft | null {
    const open = [...this.writers].filter((writer) => writer.path === path && !writer.isRemoved);
    return open.map(({ draft }) => draft).findLast((draft) => !draft.isSeparate && draft.last === found) ?? null;
  }
}

function isAt(writer: Writer, session: number, path: string): boolean {
  return writer.session === session && writer.path === path && !writer.isRemoved;
}

function newDraft(found: Version | null, isSeparate = false): Draft {
  return { base: found, last: found, changes: [], isSeparate, writers: new Set() };
}

function replay({ base, changes }: Draft, counts: (by: Writer) => boolean): Buffer {
  return changes.reduce(
    (content, { by, apply }) => (counts(by) ? apply(content) : content),
    base?.content ?? Buffer.alloc(0),
  );
}

function resize(content: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  content.copy(next);
  return next;
}
