/** Owns one SFTP session over any duplex stream: reads requests, runs them in their order, and slows clients that do not read. */
import { setMaxListeners } from 'node:events';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Logger } from '../../config/logger.js';
import type { Intake } from '../../intake/types.js';
import type { Space } from '../../storage/types.js';
import type { Progress } from '../sessionregister.js';
import { PacketReader } from './codec.js';
import { SftpError } from './error.js';
import { extensions } from './extensions.js';
import { closeFile } from './files.js';
import { Framer } from './frame.js';
import { type Handle, type HandleShare, HandleTable } from './handles.js';
import { type Buckets, RateLimiter } from './ratelimit.js';
import { type Reply, replyStatus, replyVersion } from './reply.js';
import { ReplyStream } from './replystream.js';
import { type AnyRequest, type Context, changesAnything, readsAnything, type Tally } from './request.js';
import { extendedNumber, initNumber, requests } from './requests.js';
import { isServerFault, statusOf } from './status.js';
import { TaskLock } from './tasklock.js';

/** Requests whose answers are not sent yet; past either bound the session reads no more requests. */
const mostPending = 128;
const mostPendingBytes = 4 * 1024 * 1024;
/** The bound while the organization uses much of its memory. */
const tightPendingBytes = 512 * 1024;

export interface SessionOptions {
  space: Space;
  intake: Intake;
  logger: Logger;
  now: () => number;
  maxHandles: number;
  /** The open handles of all the organization's sessions. */
  handleShare?: HandleShare;
  /** The transfer rates that the organization's sessions share. */
  buckets?: Buckets;
  /** Refuses every request that changes anything. */
  readOnly?: boolean;
  /** Refuses every request that reads the organization's data. */
  uploadOnly?: boolean;
  /** Where the stream's bytes end up, when the stream itself doesn't wait for it (an SSH channel's socket). */
  outlet?: Writable;
  /** Called at each request: the session is alive. */
  onRequest?: () => void;
}

/**
 * closed: the client ended its side between two requests; cut: in the middle of one; malformed: it broke the protocol;
 * aborted: the server ended it.
 */
export type SessionEnd = 'closed' | 'cut' | 'malformed' | 'aborted';

/** Serves SFTP version 3 (draft-ietf-secsh-filexfer-02) on `stream`; the caller ends the stream. */
export function serveStream(stream: Duplex, options: SessionOptions): Session {
  return new Session(stream, stream, options);
}

/** As serveStream, on two streams: standard input and output. */
export function servePipes(input: Readable, output: Writable, options: SessionOptions): Session {
  return new Session(input, output, options);
}

export class Session {
  /** Resolves when all requests have ended and every handle is closed; uploads that had no CLOSE are aborted then. */
  readonly ended: Promise<SessionEnd>;
  readonly tally: Tally = { bytesReceived: 0, bytesSent: 0, filesReceived: 0, filesSent: 0 };

  readonly #context: Context;
  readonly #framer = new Framer();
  readonly #replies: ReplyStream;
  readonly #rateLimiter: RateLimiter;
  #isPaced = false;
  #isInitialized = false;
  #isInputOver = false;
  /** All requests that have arrived whole are taken. */
  #isDry = false;
  #end: SessionEnd | null = null;
  #isFinishing = false;
  #pending = 0;
  #pendingBytes = 0;
  /** Of the pending ones those that may be a part of an upload. */
  #pendingOthers = 0;
  /** The client is gone: reads have no reader any more. */
  #isLeft = false;
  /** Ends requests to an object store. Made for the first file that is read: to abort one costs as much as a small request. */
  #left: AbortController | null = null;
  /** Only reads are left, or the session was ended. */
  #hasLeft = false;
  #resolveEnded!: (end: SessionEnd) => void;
  readonly #input: Readable;
  readonly #options: SessionOptions;

  constructor(input: Readable, output: Writable, options: SessionOptions) {
    this.#input = input;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const takeSignal = () => this.#takeSignal();
    this.#context = {
      space: options.space,
      intake: options.intake,
      handles: new HandleTable(options.maxHandles, options.handleShare),
      paths: new TaskLock(),
      tally: this.tally,
      now: options.now,
      isReadOnly: options.readOnly === true,
      isAborted: () => this.#end === 'aborted',
      get left() {
        return takeSignal();
      },
    };
    this.#replies = new ReplyStream(output, options.outlet ?? null, options.intake.memory);
    this.#rateLimiter = new RateLimiter(options.buckets ?? null);
    input.on('data', this.#onData);
    input.once('end', () => this.#endInput());
    // A stream that failed has no end.
    input.on('error', () => {
      this.dropReplies();
      this.#endInput();
    });
    output.on('error', () => this.dropReplies());
  }

  /** Uploads in progress, those included that are being closed right now. */
  get isBusy(): boolean {
    return this.#pending > 0 || this.#context.handles.countUploads() > 0;
  }

  /** Its transfers up to now, for operators. */
  get progress(): Progress {
    const { files, bytes } = this.#context.handles.measureOpen();
    return { ...this.tally, openFiles: files, openBytes: bytes };
  }

  /** While it is held, answers wait, and soon the session reads no more requests. */
  hold(isHeld: boolean): void {
    this.#replies.hold(isHeld);
  }

  /** The client is gone: requests that arrived whole still run (a CLOSE counts), but their answers are dropped. */
  dropReplies(): void {
    this.#isLeft = true;
    this.#replies.close();
    this.#rateLimiter.release();
    this.#pump();
  }

  /** Ends the session now: reads no more requests; uploads in progress publish nothing. */
  abort(): void {
    this.#stop('aborted');
    this.#isLeft = true;
    this.#replies.close();
    this.#abandon();
    this.#rateLimiter.release();
    this.#finishWhenIdle();
  }

  #takeSignal(): AbortSignal {
    if (this.#left === null) {
      this.#left = new AbortController();
      // One of each open file.
      setMaxListeners(0, this.#left.signal);
      if (this.#hasLeft) this.#left.abort();
    }
    return this.#left.signal;
  }

  #abandon(): void {
    this.#hasLeft = true;
    this.#left?.abort();
  }

  readonly #onRoom = (): void => this.#pump();

  #endInput(): void {
    this.#isInputOver = true;
    this.#pump();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#framer.push(chunk);
    this.#pump();
  };

  #pump(): void {
    this.#isDry = false;
    try {
      while (this.#end === null && this.#canTakeMore()) {
        const packet = this.#framer.next();
        if (packet === null) {
          this.#isDry = true;
          break;
        }
        this.#receive(packet);
        this.#pace(packet.length);
      }
    } catch (error) {
      if (!isMalformed(error)) throw error;
      this.#options.logger.warn('SFTP session ended: the client broke the protocol', { detail: error.message });
      this.#stop('malformed');
    }
    if (this.#end === null && !this.#canTakeMore()) this.#input.pause();
    else if (this.#input.isPaused()) this.#input.resume();
    this.#finishWhenIdle();
  }

  /** Reads no more requests until the organization's rate allows it: the channel's window then slows the client. */
  #pace(bytes: number): void {
    const wait = this.#rateLimiter.spend('up', bytes);
    if (wait === null) return;
    this.#isPaced = true;
    void wait.then(() => {
      this.#isPaced = false;
      this.#pump();
    });
  }

  #canTakeMore(): boolean {
    if (this.#isPaced || this.#pending >= mostPending || this.#pendingBytes >= mostPendingBytes) return false;
    const { memory } = this.#options.intake;
    // One at a time even then: it may be the one that fills a gap.
    if (this.#pending === 0 || !memory.isTight) return true;
    if (memory.isFull) memory.whenRoom(this.#onRoom);
    return !memory.isFull && this.#pendingBytes < tightPendingBytes;
  }

  #receive(packet: Buffer): void {
    const reader = new PacketReader(packet);
    const number = reader.u8();
    if (!this.#isInitialized) {
      this.#initialize(number, reader);
      return;
    }
    const id = reader.u32();
    this.#options.onRequest?.();
    let name = String(number);
    let costBytes = packet.length;
    let isRead = false;
    let answer: Promise<Reply>;
    try {
      const request = findRequest(number, reader);
      name = request.name;
      const args = request.handler.read(reader, this.#context);
      if (this.#options.readOnly === true && changesAnything(request, args))
        throw new SftpError('read_only_session', `${name} in a read-only session`);
      if (this.#options.uploadOnly === true && readsAnything(request, args))
        throw new SftpError('upload_only', `${name} in a session that may upload only`);
      costBytes += request.costBytes?.(args) ?? 0;
      isRead = onlyReads(request, args);
      answer = request.order(this.#context, args, () => this.#run(request, args, id));
    } catch (error) {
      if (isMalformed(error)) throw error;
      answer = Promise.reject(error);
    }
    void this.#reply(packet, { id, name, costBytes, isRead }, answer);
  }

  /** Runs in its turn. A CLOSE that waited when the session was aborted still releases its handle: the table no longer has it. */
  async #run(request: AnyRequest, args: unknown, id: number): Promise<Reply> {
    const { handle } = (args ?? {}) as { handle?: Handle };
    const isRelease = request.handler === (closeFile as AnyRequest['handler']) && handle?.kind !== 'upload';
    if (this.#end !== 'aborted' || isRelease) return request.handler.run(this.#context, args, id);
    if (handle?.kind === 'upload') await handle.upload.abort();
    throw new SftpError('ended', `${request.name} after the session was ended`);
  }

  /** Section 4: the client names its version, the server answers with the common version and its extensions. */
  #initialize(number: number, reader: PacketReader): void {
    if (number !== initNumber) throw new SftpError('malformed', `request ${number} before INIT`);
    const version = reader.u32();
    if (version < 3) throw new SftpError('malformed', `the client speaks SFTP version ${version}, the least is 3`);
    this.#isInitialized = true;
    void this.#replies.send(replyVersion(extensions.values()));
  }

  async #reply(
    packet: Buffer,
    { id, name, costBytes, isRead }: { id: number; name: string; costBytes: number; isRead: boolean },
    answer: Promise<Reply>,
  ): Promise<void> {
    const { memory } = this.#options.intake;
    this.#pending++;
    if (!isRead) this.#pendingOthers++;
    this.#pendingBytes += costBytes;
    memory.add(costBytes);
    let reply: Reply;
    try {
      reply = await answer;
    } catch (error) {
      this.#logFailure(name, error, isRead);
      reply = replyStatus(id, statusOf(error));
    }
    this.#framer.recycle(packet);
    const wait = this.#rateLimiter.spend(
      'down',
      Buffer.isBuffer(reply) ? reply.length : reply[0].length + reply[1].length,
    );
    if (wait !== null) await wait;
    await this.#replies.send(reply);
    this.#pending--;
    if (!isRead) this.#pendingOthers--;
    this.#pendingBytes -= costBytes;
    memory.release(costBytes);
    this.#pump();
  }

  #logFailure(request: string, error: unknown, isRead = false): void {
    const { logger } = this.#options;
    const cause = error instanceof Error ? error : new Error(String(error));
    const details = { request, code: (cause as { code?: unknown }).code, detail: cause.message };
    if (isServerFault(error) && !(isRead && this.#hasLeft))
      logger.error('SFTP request failed; the client gets an error status', { ...details, stack: cause.stack });
    else logger.debug('SFTP request refused', details);
  }

  /** Reads no more requests; drops further input, so that the end of the stream is still noticed. */
  #stop(end: SessionEnd): void {
    this.#end ??= end;
    this.#input.off('data', this.#onData);
    this.#input.resume();
  }

  /**
   * Not while an upload may still be closed, whose CLOSE counts: the READs of a copy are a part of it. One that is open is aborted at the
   * end of the input; and requests that were not read yet, behind many READs, have no handle of an upload unless one is open.
   */
  #abandonReads(): void {
    if (!this.#isLeft || this.#pendingOthers > 0) return;
    if ((this.#isInputOver && this.#isDry) || this.#context.handles.countUploads() === 0) this.#abandon();
  }

  #finishWhenIdle(): void {
    this.#abandonReads();
    if (this.#end === null && this.#isInputOver && this.#pending === 0)
      this.#end = this.#framer.isBetweenPackets ? 'closed' : 'cut';
    if (this.#end === null || this.#pending > 0 || this.#isFinishing) return;
    this.#isFinishing = true;
    void this.#closeHandles().then(() => this.#resolveEnded(this.#end ?? 'aborted'));
  }

  async #closeHandles(): Promise<void> {
    await Promise.all(
      this.#context.handles.takeAll().map(async (handle: Handle) => {
        if (handle.kind === 'upload') await handle.upload.abort();
        if (handle.kind === 'reader')
          await handle.reader.close().catch((error: unknown) => this.#logFailure('CLOSE', error));
      }),
    );
  }
}

function findRequest(number: number, reader: PacketReader): AnyRequest {
  const name = number === extendedNumber ? reader.string().toString('latin1') : null;
  const request = name === null ? requests.get(number) : extensions.get(name);
  if (request === undefined) throw new SftpError('not_served', `request ${name ?? number} is not served`);
  return request;
}

/** Not a part of an upload; who asks for it has it only by its answer. */
function onlyReads(request: AnyRequest, args: unknown): boolean {
  const { handle } = (args ?? {}) as { handle?: Handle };
  const isClose = request.handler === (closeFile as AnyRequest['handler']) && handle?.kind === 'upload';
  return !isClose && !changesAnything(request, args);
}

function isMalformed(error: unknown): error is SftpError {
  return error instanceof SftpError && error.code === 'malformed';
}
