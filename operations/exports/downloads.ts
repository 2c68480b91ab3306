/** Exports that a link in a mail downloads: the link is made, shown, and used once. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createSilentLogger } from '../../config/logger.js';
import { recordAudit } from '../../db/control/audit.js';
import {
  countDownloads,
  type Download,
  deleteDownload,
  findDownload,
  findDownloadFile,
  holdDownload,
  insertDownload,
  lockDownload,
} from '../../db/control/downloads.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { listScimUsers } from '../../db/directory/scimusers.js';
import { writePieces } from '../../importer/report/filereport.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { openBlobOf, removeBlob } from '../../storage/blobs.js';
import { placesOf } from '../../storage/blobstore.js';
import { requireOpenable } from '../../storage/recipient.js';
import { OperationError } from '../error.js';
import { holding } from '../places.js';
import type { Workplace } from '../workplace.js';

/** Links of one organization that are not used yet. */
const mostLinks = 50;
const mostAttempts = 5;
/** A download that broke off may begin again within this time. */
const againMs = 10 * 60_000;
/** A download that gets nowhere for this time has ended, though nobody said so: the process was killed. Longer than the listener's limit. */
const busyMs = 180_000;
const renewEveryMs = 20_000;

export interface NewLink {
  /** Of the file. */
  name: string;
  /** The admin who gets the mail. */
  user: number;
  createdAt: number;
  expiresAt: number;
}

export interface MadeLink {
  /** Names it in the audit trail; nothing leads from it to the token. */
  subject: string;
  /** 256 random bits; only its hash is stored. */
  token: string;
  /** Takes link and file away: the mail could not be sent. */
  remove(): Promise<void>;
}

/** Seals the content, and commits it with its link: there is no file without a link, and no link without a file. @throws OperationError */
export async function makeLink(
  workplace: Workplace,
  org: Org,
  link: NewLink,
  pieces: AsyncIterable<string>,
): Promise<MadeLink> {
  const { control, paths, actor } = workplace;
  const token = randomBytes(32).toString('base64url');
  const download = { ...link, hash: hashOf(token), org: org.id };
  await sealAndCommit({
    ...{ paths, logger: createSilentLogger() },
    isNamed: isInControl(control),
    seal: (keep) => keep(writePieces({ paths, recipient: org.recipient }, pieces)),
    commit: (blob, blobs) =>
      control.transact(async (tx) => {
        await requireOpenable(tx, org.id, blobs);
        if ((await countDownloads(tx, org.id, link.createdAt)) >= mostLinks)
          throw new OperationError(
            'refused',
            `${org.id} has ${mostLinks} links that are not used yet: wait until they are used or have expired`,
          );
        await insertDownload(tx, download, blob);
        const event = {
          at: link.createdAt,
          org: org.id,
          actor,
          action: 'export.link_made',
          subject: subjectOf(download),
        };
        await recordAudit(tx, { ...event, detail: { user: link.user, until: link.expiresAt, file: link.name } });
        return true;
      }),
  });
  const remove = async () => {
    const freed = await control.transact(async (tx) => {
      const found = await lockDownload(tx, download.hash);
      return found === null ? null : deleteDownload(tx, found);
    });
    if (freed !== null) await removeBlob(paths, freed);
  };
  return { token, subject: subjectOf(download), remove };
}

export interface OfferedDownload {
  org: Pick<Org, 'name' | 'timeZone'>;
  name: string;
  /** In bytes. */
  size: number;
  until: number;
}

/** Changes nothing: programs that check mails open links, too. null: no such link, or it can't be used now or any more. */
export async function offerDownload(workplace: Workplace, token: string): Promise<OfferedDownload | null> {
  const found = await findUsable(workplace, token);
  if (found === null) return null;
  const { org, download, size } = found;
  return { org, name: download.name, size, until: download.expiresAt };
}

export interface BegunDownload {
  name: string;
  /** In bytes. */
  size: number;
  /** The file is removed once all of it was taken; a reader that stops before may begin again for some minutes. */
  content: AsyncGenerator<Buffer>;
}

/**
 * Takes the link: nobody else can, until this download breaks off. Recorded in the audit trail before the first byte.
 * @param address of the client
 * @param admit takes a place of the organization before the link is taken; the place is given back with the end of the content
 * @param signal its reader has left
 * @returns null: as of offerDownload. @throws OperationError those of `admit`
 */
export async function beginDownload(
  workplace: Workplace,
  token: string,
  address: string | null,
  admit: (org: string) => () => void = () => () => {},
  signal?: AbortSignal,
): Promise<BegunDownload | null> {
  const found = await findUsable(workplace, token);
  if (found === null) return null;
  const leave = admit(found.org.id);
  const begun = await take(workplace, found, address, signal).catch((error: unknown) => {
    leave();
    throw error;
  });
  if (begun !== null) return { ...begun, content: holding(begun.content, leave) };
  leave();
  return null;
}

async function take(
  workplace: Workplace,
  found: Found,
  address: string | null,
  signal: AbortSignal | undefined,
): Promise<BegunDownload | null> {
  const { control, now } = workplace;
  const at = now();
  const held = await control.transact(async (tx) => {
    const locked = await lockDownload(tx, found.download.hash);
    if (locked === null || !isUsable(locked, at)) return null;
    const change = { attempts: locked.attempts + 1, busyUntil: at + busyMs, againUntil: at + againMs };
    if (!(await holdDownload(tx, locked, change))) return null;
    await recordDownload(tx, found, 'export.downloaded', at, { address, attempt: change.attempts });
    return { ...locked, ...change };
  });
  if (held === null) return null;
  return { name: held.name, size: found.size, content: readTaken(workplace, found, held, signal) };
}

async function* readTaken(
  workplace: Workplace,
  found: Found,
  held: Download,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const { control, paths, now, identity } = workplace;
  const { attempts } = held;
  let [sent, isWhole, renewedAt] = [0, false, now()];
  try {
    const file = await findDownloadFile(control.read, held);
    if (file === null) throw new OperationError('not_found', 'the file of the link was removed');
    const places = placesOf(paths, found.org.id);
    const reader = await openBlobOf(places, file.blobId!, () => identity(found.org), { signal });
    try {
      for await (const piece of reader.stream()) {
        if (now() - renewedAt >= renewEveryMs) {
          renewedAt = now();
          const times = { busyUntil: renewedAt + busyMs, againUntil: renewedAt + againMs };
          await holdDownload(control.write, held, { attempts, ...times });
        }
        yield piece;
        sent += piece.length;
      }
      isWhole = true;
    } finally {
      await reader.close();
    }
  } finally {
    await (isWhole ? endDownload(workplace, held) : breakDownload(workplace, found, held, sent));
  }
}

/** The link is used: nothing of it is left. */
async function endDownload({ control, paths }: Workplace, { hash, attempts }: Download): Promise<void> {
  const freed = await control.transact(async (tx) => {
    const locked = await lockDownload(tx, hash);
    return locked === null || locked.attempts !== attempts ? null : deleteDownload(tx, locked);
  });
  if (freed !== null) await removeBlob(paths, freed);
}

async function breakDownload(
  { control, now }: Workplace,
  found: Found,
  { hash, attempts }: Download,
  sent: number,
): Promise<void> {
  const at = now();
  await control.transact(async (tx) => {
    const change = { attempts, busyUntil: at, againUntil: at + againMs };
    if (!(await holdDownload(tx, { hash, attempts }, change))) return;
    await recordDownload(tx, found, 'export.download_broken', at, { attempt: attempts, sent });
  });
}

interface Found {
  download: Download;
  org: Org;
  size: number;
}

/** null: one answer for all that can't be used, so that a guess learns nothing. */
async function findUsable({ control, directory, now }: Workplace, token: string): Promise<Found | null> {
  if (!/^[\w-]{43}$/.test(token)) return null;
  const hash = hashOf(token);
  const download = await findDownload(control.read, hash);
  if (download === null || !timingSafeEqual(Buffer.from(download.hash), Buffer.from(hash))) return null;
  if (!isUsable(download, now())) return null;
  const org = await findOrg(control.read, download.org);
  const file = await findDownloadFile(control.read, download);
  if (org === null || file === null) return null;
  // Who is no admin any more gets no list of the others.
  const one = { after: null, limit: 1 };
  const [user] = await listScimUsers(directory.read, org.id, { id: download.user, isActive: true }, one);
  return user?.isAdmin === true ? { download, org, size: file.size } : null;
}

function isUsable({ expiresAt, attempts, busyUntil, againUntil }: Download, now: number): boolean {
  if (expiresAt <= now) return false;
  if (attempts === 0) return true;
  return attempts < mostAttempts && (busyUntil ?? 0) <= now && (againUntil ?? 0) > now;
}

function recordDownload(
  tx: Parameters<typeof recordAudit>[0],
  { org, download }: Found,
  action: string,
  at: number,
  detail: Record<string, unknown>,
): Promise<void> {
  const subject = subjectOf(download);
  const event = { at, org: org.id, actor: subject, action, subject };
  return recordAudit(tx, { ...event, detail: { user: download.user, ...detail } });
}

/** Names a link in the audit trail; nothing leads from it to the token. */
function subjectOf({ hash }: Pick<Download, 'hash'>): string {
  return `link:${hash.slice(0, 12)}`;
}

/** The token has 256 random bits: a plain hash can't be guessed back, and needs no salt. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
