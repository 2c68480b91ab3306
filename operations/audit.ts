/** Proving the audit trail: recomputes the chain, and compares it with what was kept elsewhere. */
import { type AuditHead, countStrays, readHead, readRecords } from '../db/control/audit.js';
import { beginning, hashRecord } from '../db/control/auditchain.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

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
  /** null: nothing was to be compared. */
  expected: 'found' | 'missing' | null;
}

/** More are counted, not listed. */
const listedFlaws = 20;

/** Reads a head as `audit head` prints it, `HASH@N`, or its hash alone. @throws OperationError `usage` */
export function readKeptHead(text: string): KeptHead {
  const [, hash, seq] = /^([0-9a-f]{64})(?:@(\d{1,15}))?$/i.exec(text.trim()) ?? [];
  if (hash === undefined)
    throw new OperationError('usage', `--expect takes what "dropslot audit head" printed, HASH@N, not "${text}"`);
  return { hash: hash.toLowerCase(), seq: seq === undefined ? null : Number(seq) };
}

/**
 * Reads the whole trail once, page by page, also beside writers: what they add after the beginning is not looked at.
 * `onProgress` is told how many records were read.
 */
export async function proveAudit(
  { control }: Pick<Workplace, 'control'>,
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
  else if (previous !== head.hash) find(seq, 'the end of the trail is not what was last written');
  const strays = await countStrays(control.read);
  if (strays > 0) find(null, `${strays} rows have no place in the chain`);
  if (proof.expected === 'missing') {
    const isCut = kept?.seq != null && kept.seq > head.count;
    const end = `the trail ends with record ${head.count}: the head that was kept, and what led to it, is missing`;
    find(kept?.seq ?? null, isCut ? end : 'no record has the hash that was kept');
  }
  return proof;
}

function missing(from: number, to: number): string {
  return from === to ? 'it is missing' : `it and those up to ${to} are missing`;
}
