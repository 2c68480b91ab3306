/** How records of the audit trail look to people and to programs. */
import type { AuditRecord } from '../../db/control/audit.js';
import type { AuditProof } from '../../operations/audit.js';
import { formatTime, isoTime } from '../../operations/format.js';
import type { ListView } from '../output.js';

export const recordList: ListView<AuditRecord> = {
  columns: [
    { title: 'N', cell: (record) => String(record.seq), align: 'right' },
    { title: 'TIME', cell: (record) => formatTime(record.at) },
    { title: 'ORG', cell: (record) => record.org ?? '–' },
    { title: 'WHO', cell: (record) => record.actor },
    { title: 'WHAT', cell: (record) => record.action },
    { title: 'SUBJECT', cell: (record) => record.subject },
    { title: 'FROM', cell: (record) => textOf(record, 'address') ?? '–' },
    { title: 'RESULT', cell: (record) => textOf(record, 'outcome') ?? textOf(record, 'reason') ?? 'done' },
  ],
  empty: 'No record of that.',
  toJson: (record) => JSON.parse(formatRecord(record)),
};

function textOf({ detail }: AuditRecord, name: string): string | null {
  const value = (JSON.parse(detail) as Record<string, unknown>)[name];
  return value === undefined || value === null ? null : String(value);
}

/** One JSON line, without its end: what is exported, and what a log collector gets. `detail` is as it was hashed. */
export function formatRecord({ seq, at, org, actor, action, subject, detail, hash }: AuditRecord): string {
  const front = JSON.stringify({ seq, time: isoTime(at), at, org, actor, action, subject });
  return `${front.slice(0, -1)},"detail":${detail},"hash":"${hash}"}`;
}

export function renderProof({ head, flaws, flawCount, expected }: AuditProof): string {
  const lines = flaws.map(({ seq, what }) => `${seq === null ? 'the trail' : `record ${seq}`}: ${what}`);
  if (flawCount > flaws.length) lines.push(`and ${flawCount - flaws.length} more`);
  if (flawCount > 0) return lines.join('\n');
  const kept = expected === null ? '' : ' Everything up to the head that was kept is as it was.';
  return `${head.count} records, chained without a gap. Head: ${head.hash}@${head.count}.${kept}`;
}
