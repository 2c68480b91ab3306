/** The intake: begins uploads, and carries out what else a client does that touches the queue. */
import type { Logger } from '../config/logger.js';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import { findBlob, isBlobLive } from '../db/control/blobs.js';
import { type EntryRow, findEntry } from '../db/control/entries.js';
import type { Org } from '../db/control/orgs.js';
import { KeyError } from '../keys/error.js';
import { createBlob, openBlob, removeBlob } from '../storage/blob.js';
import { asSpaceError } from '../storage/failure.js';
import { checkPath, requireWritable, splitPath } from '../storage/path.js';
import { SpaceError } from '../storage/types.js';
import type { SealStep } from '../storage/writer.js';
import { removeFile, renamePath } from './change.js';
import { GroupCommit, type Work } from './commit.js';
import { type Base, Content } from './content.js';
import { type ClosedUpload, publishUpload } from './publish.js';
import type { BeginOptions, Intake, Receipt, Sender, Upload } from './types.js';
import { OpenUpload, type UploadPlace } from './upload.js';

/** Where a crash can cut a CLOSE in two. */
export type IntakeStep = SealStep | 'committed';

export interface IntakeDeps {
  control: Db;
  paths: Paths;
  settings: Pick<Settings, 'maxFileBytes' | 'uploadWindowBytes'>;
  logger: Logger;
  now: () => number;
  /** Opens an organization's age identity, for a write over a part of a file; throws KeyError where this server can't. */
  identity: (org: Org) => Promise<string>;
  /** Told after each step of each CLOSE. */
  onStep?: (step: IntakeStep) => void;
}

/** One for a whole server: its commits are shared by all sessions. */
export interface IntakeService {
  forSender(org: Org, sender: Sender): Intake;
  /** Uploads that have begun, and neither finished nor aborted. */
  openUploads(): number;
  /** Aborts every open upload; those that are closing are closed first. */
  abortAll(): Promise<void>;
}

export function createIntake(deps: IntakeDeps): IntakeService {
  const commits = new GroupCommit(deps.control);
  const open = new Set<Upload>();
  return {
    forSender: (org, sender) => new SenderIntake(deps, commits, open, org, sender),
    openUploads: () => open.size,
    abortAll: async () => {
      await Promise.all([...open].map((upload) => upload.abort()));
    },
  };
}

class SenderIntake implements Intake {
  readonly #deps: IntakeDeps;
  readonly #commits: GroupCommit;
  readonly #open: Set<Upload>;
  readonly #org: Org;
  readonly #sender: Sender;
  readonly #place: UploadPlace;

  constructor(deps: IntakeDeps, commits: GroupCommit, open: Set<Upload>, org: Org, sender: Sender) {
    this.#deps = deps;
    this.#commits = commits;
    this.#open = open;
    this.#org = org;
    this.#sender = sender;
    this.#place = {
      org,
      sender,
      now: deps.now,
      publish: (upload) => this.#publish(upload),
      onStep: deps.onStep ?? (() => {}),
      onEnd: (upload) => void open.delete(upload),
      warn: (message, cause) => void deps.logger.warn(message, { org: org.id, cause: String(cause) }),
    };
  }

  begin(path: string, options: BeginOptions): Promise<Upload> {
    return asSpaceError(async () => {
      checkPath(path);
      const existing = await this.#checkPlace(path, options);
      const base = options.truncate || existing === null ? null : await this.#openBase(existing);
      const { paths, settings } = this.#deps;
      const content = await Content.begin(() => createBlob(paths, this.#org.recipient), base, settings).catch(
        async (error) => {
          await base?.reader?.close();
          throw error;
        },
      );
      const attributes = { ...(existing !== null && { mode: existing.mode }), ...options.attributes };
      const upload = new OpenUpload(this.#place, path, content, { append: options.append, attributes });
      this.#open.add(upload);
      return upload;
    });
  }

  remove(path: string): Promise<void> {
    return asSpaceError(async () => {
      checkPath(path);
      if (path === '/') throw new SpaceError('is_a_folder', 'the root is a folder');
      requireWritable(path);
      const at = this.#deps.now();
      await this.#release(await this.#commits.run((tx) => removeFile(tx, this.#org, this.#sender, path, at)));
    });
  }

  rename(from: string, to: string, overwrite: boolean): Promise<void> {
    return asSpaceError(async () => {
      for (const path of [from, to]) {
        checkPath(path);
        if (path === '/') throw new SpaceError('unsupported', 'the root stays where it is');
        requireWritable(path);
      }
      const at = this.#deps.now();
      const work: Work<string | null> = (tx) => renamePath(tx, this.#org, this.#sender, { from, to, overwrite }, at);
      await this.#release(await this.#commits.run(work));
    });
  }

  /** The file that is there; null: none. */
  async #checkPlace(path: string, options: BeginOptions): Promise<EntryRow | null> {
    if (path === '/') throw new SpaceError('is_a_folder', 'the root is a folder');
    requireWritable(path);
    const db = this.#deps.control.read;
    const existing = await findEntry(db, this.#org.id, path);
    if (existing?.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder`);
    if (existing !== null && options.exclusive) throw new SpaceError('exists', `${path} exists`);
    if (existing !== null) return existing;
    if (!options.create) throw new SpaceError('not_found', `${path} is not there`);
    const { dir } = splitPath(path);
    const folder = dir === '/' ? null : await findEntry(db, this.#org.id, dir);
    if (folder?.kind === 'file') throw new SpaceError('not_a_folder', `${dir} is a file`);
    if (folder === null && dir !== '/') throw new SpaceError('not_found', `${dir} is not there`);
    return null;
  }

  async #openBase(entry: EntryRow): Promise<Base | null> {
    if (entry.size === 0) return null;
    try {
      const identity = await this.#deps.identity(this.#org);
      return { size: entry.size, reader: await openBlob(this.#deps.paths, entry.blobId!, identity) };
    } catch (error) {
      if (error instanceof KeyError) return { size: entry.size, reader: null };
      throw error;
    }
  }

  async #publish(upload: ClosedUpload): Promise<Receipt> {
    const published = await this.#commits
      .run((tx) => publishUpload(tx, upload))
      .catch(async (error) => {
        await this.#removeUnpublished(upload.blob.id);
        throw error;
      });
    this.#deps.onStep?.('committed');
    await this.#release(published.replaced);
    return published.receipt;
  }

  /** A commit whose answer was lost may have happened: only a blob that the database does not know is removed. */
  async #removeUnpublished(blobId: string): Promise<void> {
    try {
      if ((await findBlob(this.#deps.control.read, blobId)) === null) await removeBlob(this.#deps.paths, blobId);
    } catch (cause) {
      this.#place.warn('the blob of a failed upload could not be removed', cause);
    }
  }

  /** Removes the bytes that nothing refers to any more. What was asked for is done already: a failure is only logged. */
  async #release(blobId: string | null): Promise<void> {
    if (blobId === null) return;
    try {
      if (!(await isBlobLive(this.#deps.control.read, blobId))) await removeBlob(this.#deps.paths, blobId);
    } catch (cause) {
      this.#place.warn('the blob of a removed file is still there', cause);
    }
  }
}
