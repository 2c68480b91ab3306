/** The audit trail: its records, its head, and the proof that no record was changed or removed. */
import {
  type AuditFilter,
  type AuditHead,
  type AuditRecord,
  countStrays,
  findRecordTime,
  readHead,
  readRecords,
} from '../db/control/audit.js';
import { beginning, hashRecord } from '../db/control/auditchain.js';
import { walkUnrecorded } from '../db/control/uploadrecords.js';
import { OperationError } from './error.js';
import { isoTime, withSchema } from './format.js';
import type { Workplace } from './workplace.js';

export type { AuditHead, AuditRecord } from '../db/control/audit.js';

export interface RecordFilter {
  org?: string | undefined;
  /** Milliseconds since 1970: from `since` on, and before `until`. */
  since?: number | undefined;
  until?: number | undefined;
  /** Only records after this one. */
  after?: number | undefined;
}

type Control = Pick<Workplace, 'control'>;

/** The clocks of two nodes differ by less. */
const skewMs = 600_000;

/** Oldest first, page by page. */
export function walkRecords(
  { control }: Control,
  { org, since, until, after }: RecordFilter,
): AsyncGenerator<AuditRecord> {
  const filter: AuditFilter = {
    ...(org !== undefined && { org }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(after !== undefined && { after }),
  };
  return readRecords(control.read, filter);
}

export interface AuditSearch extends Omit<RecordFilter, 'until'> {
  /** Part of the actor, in any case. */
  actor?: string | undefined;
  /** The beginning of the action: `run.`, `key.added`. */
  action?: string | undefined;
}

/** A page that was searched for: some of them may be found after the place where it stopped. */
export interface AuditPage {
  records: AuditRecord[];
  /** The number after which the next page begins; null: it is the last one. */
  next: number | null;
}

/** A page looks at no more records than this, so that it is quick however long the trail is. */
const mostLooked = 20_000;

/** Records that fit, the oldest first, at most `most`. */
export async function searchRecords(place: Control, search: AuditSearch, most: number): Promise<AuditPage> {
  const { org, since, actor = '', action = '' } = search;
  const begin = since === undefined ? 0 : await findFirst(place, since);
  const after = Math.max(search.after ?? 0, begin - 1);
  const records: AuditRecord[] = [];
  let looked = 0;
  for await (const record of walkRecords(place, { org, since, after })) {
    if (records.length >= most || looked++ >= mostLooked) return { records, next: record.seq - 1 };
    const fits = record.actor.toLowerCase().includes(actor.toLowerCase()) && record.action.startsWith(action);
    if (fits) records.push(record);
  }
  return { records, next: null };
}

/** The number of about the first record from a time on: records are in the order of time, but for skewed clocks. */
async function findFirst({ control }: Control, since: number): Promise<number> {
  let [low, high] = [1, (await readHead(control.read)).count + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const at = await findRecordTime(control.read, middle);
    if (at !== null && at < since - skewMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last `count` records, oldest first. */
export async function* walkLastRecords({ control }: Control, count: number): AsyncGenerator<AuditRecord> {
  const head = await readHead(control.read);
  yield* readRecords(control.read, { after: Math.max(0, head.count - count) });
}

/** The hash of the last record, and how many there are. */
export function readAuditHead({ control }: Control): Promise<AuditHead> {
  return readHead(control.read);
}

/**
 * A record as one JSON line without its end, for exports and log collectors; `detail` has exactly the hashed text. The version
 * of the format is its first member, and is not hashed.
 */
export function formatRecord({ seq, at, org, actor, action, subject, detail, hash }: AuditRecord): string {
  const front = JSON.stringify(withSchema({ seq, time: isoTime(at), at, org, actor, action, subject }));
  return `${front.slice(0, -1)},"detail":${detail},"hash":"${hash}"}`;
}

/** A head that was kept elsewhere. */
export interface KeptHead {
  hash: string;
  /** The record that had it; null: any may. */
  seq: number | null;
}

export interface AuditFlaw {
  /** The first record that it concerns; null: the trail as a whole. */
  seq: number | null;
  what: string;
}

export interface AuditProof {
  head: AuditHead;
  /** The first of them; empty: the chain is whole. */
  flaws: AuditFlaw[];
  /** How many there are. */
  flawCount: number;
  /** Whether the kept head was found; null: no head was given. */
  expected: 'found' | 'missing' | null;
}

/** More are counted, not listed. */
const listedFlaws = 20;

/** Reads a head as `audit head` prints it, `HASH@N`, or its hash alone. @throws OperationError `usage` */
export function readKeptHead(text: string): KeptHead {
  const [, hash, seq] = /^([0-9a-f]{64})(?:@(\d{1,15}))?$/i.exec(text.trim()) ?? [];
  if (hash === undefined)
    throw new OperationError('usage', `--expect must be the output of "dropslot audit head", HASH@N, not "${text}"`);
  return { hash: hash.toLowerCase(), seq: seq === undefined ? null : Number(seq) };
}

/**
 * Recomputes the chain of hashes over the whole trail, page by page, and compares it with the kept head. Records that are
 * added after the start are not read. Each upload that waits must have its record. `onProgress` gets the number of records read.
 */
export async function proveAudit(
  { control }: Control,
  kept: KeptHead | null,
  onProgress: (records: number) => void = () => {},
): Promise<AuditProof> {
  const head = await readHead(control.read);
  const proof: AuditProof = { head, flaws: [], flawCount: 0, expected: kept === null ? null : 'missing' };
  const find = (seq: number | null, what: string): void => {
    proof.flawCount++;
    if (proof.flaws.length < listedFlaws) proof.flaws.push({ seq, what });
  };
  const isKept = (seq: number, hash: string): boolean => hash === kept?.hash && (kept.seq ?? seq) === seq;
  if (isKept(0, beginning)) proof.expected = 'found';
  let previous = beginning;
  let seq = 0;
  for await (const record of readRecords(control.read)) {
    if (record.seq > head.count) break;
    if (record.seq !== seq + 1) find(seq + 1, missing(seq + 1, record.seq - 1));
    else if (hashRecord(previous, record) !== record.hash)
      find(record.seq, seq === 0 ? 'it was changed' : 'it, or the one before it, was changed');
    if (isKept(record.seq, record.hash)) proof.expected = 'found';
    ({ seq, hash: previous } = record);
    if (seq % 100_000 === 0) onProgress(seq);
  }
  if (seq < head.count) find(seq + 1, missing(seq + 1, head.count));
  else if (previous !== head.hash) find(seq, 'the last record is not the one that was written last');
  const strays = await countStrays(control.read);
  if (strays > 0) find(null, `${strays} rows have no place in the chain`);
  for await (const { id, org } of walkUnrecorded(control.read))
    find(null, `upload ${id} of ${org} has no record with its content, and is not imported; see "dropslot doctor"`);
  if (proof.expected === 'missing') {
    const isCut = kept?.seq != null && kept.seq > head.count;
    const end = `the trail ends with record ${head.count}: the kept head and the records before it are missing`;
    find(kept?.seq ?? null, isCut ? end : 'no record has the hash of the kept head');
  }
  return proof;
}

function missing(from: number, to: number): string {
  return from === to ? 'it is missing' : `it and those up to ${to} are missing`;
}
