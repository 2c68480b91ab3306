/** Records and proofs of the audit trail, for people and as JSON. */
import { type AuditProof, type AuditRecord, formatRecord } from '../../operations/audit.js';
import { formatTime } from '../../operations/format.js';
import type { ListView } from '../output.js';

export const recordList: ListView<AuditRecord> = {
  columns: [
    { title: 'N', cell: (record) => String(record.seq), align: 'right' },
    { title: 'TIME', cell: (record) => formatTime(record.at) },
    { title: 'ORG', cell: (record) => record.org ?? '–' },
    { title: 'WHO', cell: (record) => record.actor },
    { title: 'WHAT', cell: (record) => record.action, whole: true },
    { title: 'SUBJECT', cell: (record) => record.subject },
    { title: 'FROM', cell: (record) => textOf(record, 'address') ?? '–' },
    { title: 'RESULT', cell: (record) => textOf(record, 'outcome') ?? textOf(record, 'reason') ?? 'done' },
  ],
  empty: 'No such record.',
  toJson: (record) => JSON.parse(formatRecord(record)),
};

function textOf({ detail }: AuditRecord, name: string): string | null {
  const value = (JSON.parse(detail) as Record<string, unknown>)[name];
  return value === undefined || value === null ? null : String(value);
}

export function renderProof({ head, flaws, flawCount, expected }: AuditProof): string {
  const lines = flaws.map(({ seq, what }) => `${seq === null ? 'the trail' : `record ${seq}`}: ${what}`);
  if (flawCount > flaws.length) lines.push(`and ${flawCount - flaws.length} more`);
  if (flawCount > 0) return lines.join('\n');
  const kept = expected === null ? '' : ' Every record up to the kept head is unchanged.';
  return `${head.count} records, chained without a gap. Head: ${head.hash}@${head.count}.${kept}`;
}
