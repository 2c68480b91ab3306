/** Records in the control database how far an upload has come, so that it can be resumed after a lost connection or a crash. */
import type { Queryable } from '../db/connection.js';
import { lockOrg, type Org } from '../db/control/orgs.js';
import { beatMs, deleteOpenPartial } from '../db/control/partiallease.js';
import { deletePartial, insertOpenPartial, keepPartial, type NewPartial } from '../db/control/partials.js';
import { hasNewerUpload } from '../db/control/uploads.js';
import type { NodeKey } from '../keys/master/nodekey.js';
import { sealPayloadKey } from '../storage/partials.js';
import { splitPath } from '../storage/path.js';
import type { Attributes } from '../storage/types.js';
import type { Remains } from './content.js';
import type { GroupCommit } from './groupcommit.js';

/** Sending fewer bytes again is quicker than recording them. */
const worthBytes = 256 * 1024;

export interface ResumeContext {
  org: Org;
  commits: GroupCommit;
  /** The key that reads partials back; created at its first use. */
  nodeKey(): Promise<NodeKey>;
  /** Renews the lease of an upload in progress. null: no other server can take it over. */
  renew: ((id: string) => Promise<void>) | null;
  now(): number;
  warn(message: string, cause: unknown): void;
}

export interface ResumeSubject {
  path: string;
  begunAt: number;
  /** The partial that the upload began with; null: none. */
  basedOn: string | null;
  /** Whether partials are kept at all. */
  keeps: boolean;
}

/** Calls come one after the other. */
export class ResumeRecord {
  readonly #context: ResumeContext;
  #subject: ResumeSubject;
  #notedId: string | null = null;
  /** Its transaction has succeeded. */
  #isRecorded = false;
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
    const noted = await this.settle();
    this.#notedId = null;
    this.#isRecorded = false;
    if (noted !== null) await this.#context.commits.run((tx) => deletePartial(tx, noted));
  }

  /** The next `note` records the new name; a crash before it leaves the old one. */
  moveTo(path: string): void {
    this.#subject = { ...this.#subject, path };
    this.#isOutdated = true;
  }

  /** Records the partial that a crash would leave, without delaying the upload; once for each blob that it seals. */
  note(remains: Remains, attributes: Attributes): void {
    if (!this.#subject.keeps || remains.sealedBytes < worthBytes) return;
    if (remains.id === this.#notedId && !this.#isOutdated) return;
    const outdated = this.#notedId;
    this.#notedId = remains.id;
    this.#isOutdated = false;
    this.#isRecorded = false;
    const noted = this.#noting.then(async () => {
      const partial = await this.#describe(remains, attributes);
      await this.#context.commits.run(async (tx) => {
        if (outdated !== null) await deletePartial(tx, outdated);
        await insertOpenPartial(tx, partial);
      });
      this.#isRecorded = true;
      this.#keepLease(partial.id);
    });
    this.#noting = noted.catch((cause) =>
      this.#context.warn('could not record the progress of an upload; after a crash it must be sent again', cause),
    );
  }

  /** The id of the recorded partial, once its transaction has ended; null: none. Delete it when the upload ends. */
  async settle(): Promise<string | null> {
    await this.#noting;
    clearInterval(this.#beat);
    return this.#notedId;
  }

  /** Whether another server may have taken over the upload that `settle` named: then it must not be published. */
  get isLeased(): boolean {
    return this.#context.renew !== null && this.#isRecorded;
  }

  /**
   * Keeps `size` bytes for the next upload to resume from. A newer complete version, or a longer partial, takes
   * precedence: the transaction returns the ids of the partials whose files the caller must remove.
   */
  async keep(remains: Remains, attributes: Attributes, size: number): Promise<(tx: Queryable) => Promise<string[]>> {
    const noted = await this.settle();
    const partial = await this.#describe(remains, attributes);
    const { path, begunAt } = this.#subject;
    const { isLeased } = this;
    return async (tx) => {
      if (noted !== null && !(await deleteOpenPartial(tx, noted)) && isLeased) return [];
      const org = await lockOrg(tx, partial.org, false);
      // The identity was destroyed meanwhile, and with it every file.
      if (org === null || org.sealedIdentity === null) return [partial.id];
      if (await hasNewerUpload(tx, partial.org, path, begunAt)) return [partial.id];
      return keepPartial(tx, partial, size);
    };
  }

  #keepLease(id: string): void {
    clearInterval(this.#beat);
    const { renew, warn } = this.#context;
    if (renew === null || this.#notedId !== id) return;
    const beat = () =>
      void renew(id).catch((cause) =>
        warn('could not renew the lease of an upload; without it another server may take the upload over', cause),
      );
    this.#beat = setInterval(beat, beatMs).unref();
  }

  async #describe({ id, secret, continuesBase }: Remains, attributes: Attributes): Promise<NewPartial> {
    const { org, nodeKey, now } = this.#context;
    const { path, begunAt, basedOn } = this.#subject;
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
      updatedAt: now(),
    };
  }
}
