/** Records in the control database how far an upload has come, so that it can be resumed after a lost connection or a crash. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../db/connection.js';
import { lockUploadsOf, type Org } from '../db/control/orgs.js';
import { beatMs, deleteOpenPartial, isTakenOver } from '../db/control/partiallease.js';
import { insertOpenPartial, keepPartial, type NewPartial } from '../db/control/partials.js';
import { type Beginning, hasNewerUpload } from '../db/control/uploads.js';
import { isAnswerLost, isConnectionLost } from '../db/error.js';
import type { NodeKey } from '../keys/master/nodekey.js';
import { sealPayloadKey } from '../storage/partials.js';
import { splitPath } from '../storage/path.js';
import type { Attributes } from '../storage/types.js';
import type { Remains } from './content.js';
import type { GroupCommit } from './groupcommit.js';

/** Sending fewer bytes again is quicker than recording them. */
const worthBytes = 256 * 1024;
/** The pauses before a record is written again whose answer was lost. */
const retryPausesMs = [200, 500, 1_000, 2_000];

export interface ResumeContext {
  org: Org;
  commits: GroupCommit;
  /** The key that reads partials back; created at its first use. */
  nodeKey(): Promise<NodeKey>;
  /** Renews the lease of an upload in progress. null: no other server can take it over. */
  renew: ((id: string) => Promise<void>) | null;
  now(): number;
  /** Names this process in the database. */
  process: string;
  warn(message: string, cause: unknown): void;
}

export interface ResumeSubject extends Beginning {
  path: string;
  /** The partial that the upload began with; null: none. */
  basedOn: string | null;
  /** Whether partials are kept at all. */
  keeps: boolean;
}

/** Calls come one after the other. */
export class ResumeRecord {
  readonly #context: ResumeContext;
  #subject: ResumeSubject;
  /** The partial that is recorded, or is being recorded. */
  #notedId: string | null = null;
  /** The partial whose row is there, or may be; null: none. Another one than `#notedId` while that is being recorded, and if that failed. */
  #rowId: string | null = null;
  /** Whether its row is there. unsure: the answer to the COMMIT was lost. */
  #recorded: 'no' | 'unsure' | 'yes' = 'no';
  /** Another server has the recorded bytes, or may have: no other record takes the place of this one, which is asked for at the end. */
  #isFixed = false;
  #isOutdated = false;
  #noting: Promise<void> = Promise.resolve();
  #beat: NodeJS.Timeout | undefined;

  constructor(context: ResumeContext, subject: ResumeSubject) {
    this.#context = context;
    this.#subject = subject;
  }

  get keeps(): boolean {
    return this.#subject.keeps;
  }

  /** From now on the content is none that an upload can be resumed from. */
  async forsake(): Promise<void> {
    this.#subject = { ...this.#subject, keeps: false };
    await this.#noting;
    if (this.#rowId !== null) await this.#end(this.#rowId);
  }

  /**
   * Ends the record of a blob whose bytes are about to be removed. false: another server has taken them over, or may have: they must be
   * left to it, and the upload is not published.
   */
  async reclaim(blobId: string): Promise<boolean> {
    await this.#noting;
    if (this.#rowId !== blobId) return true;
    try {
      return await this.#end(blobId);
    } catch (cause) {
      this.#isFixed = true;
      this.#context.warn('could not end the record of an upload; its bytes are kept in the store', cause);
      return false;
    }
  }

  /** Of two servers, the one that deletes the row has the bytes. */
  async #end(noted: string): Promise<boolean> {
    const isDeleted = await this.#context.commits.run((tx) => deleteOpenPartial(tx, noted));
    if (!isDeleted && this.isLeased) {
      this.#isFixed = true;
      return false;
    }
    clearInterval(this.#beat);
    this.#notedId = null;
    this.#rowId = null;
    this.#recorded = 'no';
    return true;
  }

  /** The next `note` records the new name; a crash before it leaves the old one. */
  moveTo(path: string): void {
    this.#subject = { ...this.#subject, path };
    this.#isOutdated = true;
  }

  /** Records the partial that a crash would leave, without delaying the upload; once for each blob that it seals. */
  note(remains: Remains, attributes: Attributes): void {
    if (!this.#subject.keeps || this.#isFixed || remains.sealedBytes < worthBytes) return;
    if (remains.id === this.#notedId && !this.#isOutdated) return;
    this.#notedId = remains.id;
    this.#isOutdated = false;
    const noted = this.#noting.then(async () => this.#record(await this.#describe(remains, attributes)));
    this.#noting = noted.catch((cause) =>
      this.#context.warn('could not record the progress of an upload; after a crash it must be sent again', cause),
    );
  }

  /**
   * A row whose answer was lost may appear later, and another server may then take the upload over. So it is written again until it is
   * known to be there. Where surely none was written, the record before counts.
   */
  async #record(partial: NewPartial): Promise<void> {
    if (this.#isFixed) return;
    const outdated = this.#rowId;
    const hadRow = outdated !== null && this.#recorded === 'yes';
    let isUnsure = false;
    for (let attempt = 0; ; attempt++)
      try {
        const isOwn = await this.#context.commits.run((tx) => this.#write(tx, partial, outdated, hadRow && !isUnsure));
        this.#recorded = 'yes';
        this.#rowId = isOwn ? partial.id : outdated;
        if (isOwn) this.#keepLease(partial.id);
        else this.#isFixed = true;
        return;
      } catch (cause) {
        if (isAnswerLost(cause)) {
          isUnsure = true;
          [this.#rowId, this.#recorded] = [partial.id, 'unsure'];
        }
        if (!isConnectionLost(cause) || attempt >= retryPausesMs.length) {
          if (isUnsure) this.#keepLease(partial.id);
          throw cause;
        }
        await sleep(retryPausesMs[attempt]!);
      }
  }

  /** false: another server has taken over the bytes of the record before. */
  async #write(tx: Queryable, partial: NewPartial, outdated: string | null, hadRow: boolean): Promise<boolean> {
    if (outdated !== null && !(await deleteOpenPartial(tx, outdated)) && this.#context.renew !== null)
      if (hadRow || (await isTakenOver(tx, outdated))) return false;
    await insertOpenPartial(tx, partial);
    return true;
  }

  /** The id of the recorded partial, once its transaction has ended; null: none. Delete it when the upload ends. */
  async settle(): Promise<string | null> {
    await this.#noting;
    clearInterval(this.#beat);
    return this.#rowId;
  }

  /** Whether another server may have taken over the upload that `settle` named: then it must not be published. */
  get isLeased(): boolean {
    return this.#context.renew !== null && this.#recorded !== 'no';
  }

  /**
   * Keeps `size` bytes for the next upload to resume from. A newer complete version, or a longer partial, takes
   * precedence: the transaction, which must be its own on PostgreSQL, returns the ids of the partials whose files the caller must remove.
   */
  async keep(remains: Remains, attributes: Attributes, size: number): Promise<(tx: Queryable) => Promise<string[]>> {
    const noted = await this.settle();
    const partial = await this.#describe(remains, attributes);
    const { path } = this.#subject;
    const { isLeased } = this;
    return async (tx) => {
      const org = await lockUploadsOf(tx, partial.org);
      if (noted !== null && !(await deleteOpenPartial(tx, noted)) && isLeased)
        return noted === partial.id ? [] : [partial.id];
      // The identity was destroyed meanwhile, and with it every file.
      if (org === null || org.sealedIdentity === null) return [partial.id];
      if (await hasNewerUpload(tx, partial.org, path, partial)) return [partial.id];
      return keepPartial(tx, partial, size);
    };
  }

  #keepLease(id: string): void {
    clearInterval(this.#beat);
    const { renew, warn } = this.#context;
    if (renew === null) return;
    const beat = () =>
      void renew(id).catch((cause) =>
        warn('could not renew the lease of an upload; without it another server may take the upload over', cause),
      );
    this.#beat = setInterval(beat, beatMs).unref();
  }

  async #describe({ id, secret, continuesBase }: Remains, attributes: Attributes): Promise<NewPartial> {
    const { org, nodeKey, now, process } = this.#context;
    const { path, begunAt, lastUpload, basedOn } = this.#subject;
    const node = await nodeKey();
    return {
      id,
      org: org.id,
      ...splitPath(path),
      basedOn: continuesBase ? basedOn : null,
      node: node.recipient,
      payloadKey: await sealPayloadKey(secret.payloadKey, node),
      headerBytes: secret.headerBytes,
      ...attributes,
      begunAt,
      lastUpload,
      updatedAt: now(),
      process,
    };
  }
}
