/** Takes files over HTTPS through the intake of SFTP sessions: whole or in ranges, and durable before the answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../config/logger.js';
import type { Queryable } from '../../db/connection.js';
import { findFile } from '../../db/control/filelist.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { forgetPartials } from '../../db/control/partials.js';
import { createIntake, type IntakeService } from '../../intake/intake.js';
import type { Receipt, Upload } from '../../intake/types.js';
import { createSessionLimits, type LocalLimits } from '../../server/ssh/sessionlimits.js';
import { findOwnPartial, removePartials } from '../../storage/partials.js';
import { normalizePath } from '../../storage/path.js';
import { OperationError } from '../error.js';
import { requirePlan } from '../sftpaccess.js';
import { isTokenUsable, type Token } from '../tokens.js';
import type { Workplace } from '../workplace.js';
import { DropError, toDropError } from './error.js';
import type { DropRange } from './range.js';

export interface Drop {
  org: string;
  /** The path in the organization's tree; the slash at its beginning may be left out. */
  name: string;
  token: Token;
  address: string | null;
  bytes: AsyncIterable<Uint8Array>;
  /** null: `bytes` are the whole file. */
  range: DropRange | null;
  /** Of `bytes`, as the client has announced it; null: it has not. */
  length: number | null;
  /** Of the whole file, hex; null: it is not compared. */
  sha256: string | null;
  /** Refuse it where a file has the path. */
  exclusive: boolean;
}

/** A file that is being uploaded, or the complete one at the path. */
export interface DropState {
  path: string;
  complete: boolean;
  /** Plaintext bytes that survive a power cut. */
  offset: number;
  /** Of the complete file, hex; null: not complete. */
  sha256: string | null;
  /** Of a complete file, as `queue` shows it. */
  state: string | null;
  createdAt: number | null;
}

export interface Received extends Receipt {
  /** `token:tok_…`: who brought it, as the queue and the audit trail name it. */
  door: string;
}

/** One for a whole process. */
export interface Drops {
  /** The receipt of a complete file; else the bytes that are kept. @throws DropError, OperationError */
  receive(workplace: Workplace, drop: Drop): Promise<Received | { path: string; offset: number }>;
  /** Ends an upload of the path that is under way: its bytes are kept. @throws OperationError, DropError `not_found` */
  find(workplace: Workplace, org: string, name: string): Promise<DropState>;
  /** Forgets the bytes of an upload that is not complete; how many there were. @throws as find */
  discard(workplace: Workplace, org: string, name: string): Promise<{ path: string; discarded: number }>;
  /** Plaintext bytes of all uploads, since the start. */
  receivedBytes(): number;
  /** Ends every upload, and keeps its bytes. */
  close(): Promise<void>;
}

/** Of all organizations: each holds a connection, and an intake has many other users. */
const mostAtOnce = 64;

interface Active {
  stop: AbortController;
  ended: Promise<void>;
}

interface Shared {
  intake: IntakeService;
  limits: LocalLimits;
  /** By organization and path. */
  active: Map<string, Active>;
  receivedBytes: number;
}

export function createDrops(
  { control, paths, settings, now, identity }: Pick<Workplace, 'control' | 'paths' | 'settings' | 'now' | 'identity'>,
  logger: Logger,
): Drops {
  const shared: Shared = {
    intake: createIntake({ control, paths, settings, logger, now, identity }),
    limits: createSessionLimits(settings, now),
    active: new Map(),
    receivedBytes: 0,
  };
  const { active } = shared;
  return {
    receive: async (workplace, drop) => {
      const { org, path, key } = await locate(workplace, drop.org, drop.name);
      requireOpen(workplace, org);
      await endActive(active, key);
      const share = active.size >= mostAtOnce ? null : shared.limits.openConnection(org);
      if (share === null) throw new DropError('too_many', 'too many uploads at once: try it again in some seconds');
      const stop = new AbortController();
      const work = take(workplace, shared, drop, { org, path, stop: stop.signal, rate: share.buckets.up });
      const one: Active = {
        stop,
        ended: work.then(
          () => {},
          () => {},
        ),
      };
      active.set(key, one);
      try {
        return await work;
      } catch (error) {
        throw toDropError(error);
      } finally {
        shared.limits.closeConnection(org.id);
        if (active.get(key) === one) active.delete(key);
      }
    },
    find: async (workplace, orgId, name) => {
      const { org, path, key } = await locate(workplace, orgId, name);
      await endActive(active, key);
      return findState(workplace, org, path);
    },
    discard: async (workplace, orgId, name) => {
      const { org, path, key } = await locate(workplace, orgId, name);
      await endActive(active, key);
      const partial = await findOwnPartial(workplace, org.id, path);
      if (partial === null) throw new DropError('not_found', `no upload of ${path} waits for its rest`);
      await forget(workplace, org, path);
      return { path, discarded: partial.size };
    },
    receivedBytes: () => shared.receivedBytes,
    close: async () => {
      await Promise.all([...active.keys()].map((key) => endActive(active, key)));
      await shared.intake.abortAll();
    },
  };
}

interface Place {
  org: Org;
  path: string;
  stop: AbortSignal;
  rate: { spend(bytes: number): number };
}

async function take(workplace: Workplace, shared: Shared, drop: Drop, place: Place) {
  const { org, path } = place;
  const { range, token } = drop;
  const door = `token:${token.id}`;
  const sender = { keyFingerprint: null, address: drop.address, client: door, door };
  const isNew = range === null || range.from === 0;
  const { settings } = workplace;
  if (range !== null && range.end < range.total && settings.keepPartialHours === 0)
    throw new DropError('refused', 'this server keeps no part of a file (setting keepPartialHours): send it whole');
  checkLength(drop);
  if (!isNew) await requireOffset(workplace, org, path, range);
  const upload = await shared.intake.forSender(org, sender).begin(path, {
    ...{
      truncate: isNew,
      resume: !isNew,
      anew: isNew,
      exclusive: isNew && drop.exclusive,
      create: true,
      append: false,
    },
    attributes: {},
  });
  const from = range?.from ?? 0;
  try {
    const end = await write(upload, drop, from, place, shared);
    if (range !== null && range.end < range.total) return await keep(workplace, org, upload, end);
  } catch (error) {
    // One that may lack nothing keeps all but its last byte: an SFTP client that compares sizes must not take it for complete.
    const total = range?.total ?? drop.length;
    const isWhole = total === null || upload.entry().size >= total;
    // A file that is refused takes nothing away: the ranges of an earlier one are kept. Otherwise its bytes take their place.
    if (isRefused(error)) await upload.discard();
    else await (isWhole ? upload.abort() : upload.pause());
    throw error;
  }
  return { ...(await publish(workplace, org, upload, drop, isNew)), door };
}

/** Whether the same bytes would be refused again. */
function isRefused(error: unknown): boolean {
  const { code } = toDropError(error) as { code?: unknown };
  return code === 'usage' || code === 'too_large';
}

/** The offset after the last byte. */
async function write(
  upload: Upload,
  { bytes, range, length }: Drop,
  from: number,
  { stop, rate }: Place,
  count: Shared,
) {
  const expected = range === null ? length : range.end - range.from;
  const source = bytes[Symbol.asyncIterator]();
  const stopped = new Promise<never>((_resolve, reject) => {
    const end = () => reject(new DropError('cut_off', 'a later request about the same file has ended this one'));
    if (stop.aborted) end();
    stop.addEventListener('abort', end, { once: true });
  });
  stopped.catch(() => {});
  let offset = from;
  try {
    for (;;) {
      const next = await Promise.race([source.next(), stopped]).catch((cause: unknown) => {
        throw cause instanceof DropError
          ? cause
          : new DropError('cut_off', 'the connection ended before the file', null, { cause });
      });
      if (next.done === true) break;
      const chunk = next.value;
      if (expected !== null && offset + chunk.length - from > expected)
        throw new DropError('usage', `the body has more than ${expected} bytes`);
      await upload.write(offset, Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      offset += chunk.length;
      count.receivedBytes += chunk.length;
      const waitMs = rate.spend(chunk.length);
      if (waitMs > 0) await Promise.race([sleep(waitMs, undefined, { ref: false }), stopped]);
    }
  } catch (error) {
    void source.return?.()?.catch(() => {});
    throw error;
  }
  if (expected !== null && offset - from < expected)
    throw new DropError('cut_off', `the body ended after ${offset - from} of ${expected} bytes`);
  return offset;
}

/** The acknowledged bytes: those that another request finds, after a power cut too. */
async function keep(workplace: Workplace, org: Org, upload: Upload, end: number) {
  const { path } = upload;
  await upload.pause();
  const partial = await findOwnPartial(workplace, org.id, path);
  if (partial?.size !== end)
    throw new DropError('unavailable', 'the range could not be kept: ask for the offset, and send the rest from there');
  return { path, offset: end };
}

async function publish(workplace: Workplace, org: Org, upload: Upload, drop: Drop, isNew: boolean): Promise<Receipt> {
  let refusal = null as DropError | null;
  let forgotten: string[] = [];
  const onCommit = async (tx: Queryable, receipt: Receipt) => {
    refusal = await judge(tx, receipt, { ...drop, at: workplace.now() });
    if (refusal !== null) throw refusal;
    // The rest of an earlier file must never be sent to the end of another one.
    if (isNew) forgotten = await forgetPartials(tx, org.id, upload.path);
  };
  try {
    const receipt = await upload.finish(() => true, onCommit);
    await removePartials(workplace, forgotten);
    return receipt;
  } catch (error) {
    // The wrong bytes may be those of an earlier range.
    if (refusal?.code === 'wrong_digest') await forget(workplace, org, upload.path);
    throw refusal ?? error;
  }
}

/** At the last moment: the token may have been revoked while its file arrived. */
async function judge(
  tx: Queryable,
  receipt: Receipt,
  { org: orgId, sha256, token, at }: Pick<Drop, 'org' | 'sha256' | 'token'> & { at: number },
): Promise<DropError | null> {
  if (sha256 !== null && receipt.sha256 !== sha256)
    return new DropError(
      'wrong_digest',
      'the bytes are others than those of Repr-Digest: nothing was kept, send the whole file again',
    );
  const org = await findOrg(tx, orgId);
  if (org?.enabled !== true) return new DropError('refused', `${orgId} was disabled before the end of the file`);
  if (!(await isTokenUsable(tx, token.id, at)))
    return new DropError('forbidden', 'the token was revoked or has expired before the end of the file');
  return null;
}

async function locate(workplace: Workplace, orgId: string, name: string) {
  const org = await workplace.org(orgId);
  try {
    const path = normalizePath(name);
    return { org, path, key: `${org.id}\0${path}` };
  } catch (error) {
    throw toDropError(error);
  }
}

/** @throws OperationError `refused` */
function requireOpen({ settings }: Workplace, org: Org): void {
  requirePlan(settings, org.plan, org.id);
  if (!org.enabled) throw new OperationError('refused', `${org.id} is disabled: an operator must enable it first`);
}

/** @throws DropError `usage` */
function checkLength({ range, length }: Drop): void {
  if (range === null || length === null || length === range.end - range.from) return;
  throw new DropError('usage', `Content-Range names ${range.end - range.from} bytes, and the body has ${length}`);
}

/** @throws DropError `wrong_offset` */
async function requireOffset(workplace: Workplace, org: Org, path: string, range: DropRange): Promise<void> {
  const partial = await findOwnPartial(workplace, org.id, path);
  const offset = partial?.size ?? 0;
  if (offset !== range.from)
    throw new DropError('wrong_offset', `${offset} bytes are kept: send the rest from byte ${offset} on`, offset);
}

async function forget(workplace: Workplace, org: Org, path: string): Promise<void> {
  const { control } = workplace;
  if ((await findOwnPartial(workplace, org.id, path)) === null) return;
  await removePartials(workplace, await control.transact((tx) => forgetPartials(tx, org.id, path)));
}

async function findState(workplace: Workplace, org: Org, path: string): Promise<DropState> {
  const partial = await findOwnPartial(workplace, org.id, path);
  const none = { sha256: null, state: null, createdAt: null };
  if (partial !== null) return { path, complete: false, offset: partial.size, ...none };
  const file = await findFile(workplace.control.read, org.id, path);
  if (file === null || file.kind === 'dir' || file.state === null || file.state === 'partial')
    throw new DropError('not_found', `${path} is not there, and no upload of it waits for its rest`);
  const space = await workplace.space(org);
  const sha256 = await space.checksum(path);
  return { path, complete: true, offset: file.size, sha256, state: file.state, createdAt: file.createdAt };
}

/** Its connection may be dead without the server having noticed: the later request counts. */
async function endActive(active: Map<string, Active>, key: string): Promise<void> {
  for (let one = active.get(key); one !== undefined; one = active.get(key)) {
    one.stop.abort();
    await one.ended;
    if (active.get(key) === one) active.delete(key);
  }
}
