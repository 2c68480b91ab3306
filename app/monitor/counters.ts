/** The counters of `/metrics`: of the processes of one server, since its start. No place in the code counts uploads or logins by itself: they follow from audit records. */
import { Counter, Histogram, type Registry } from 'prom-client';
import { explainCode } from '../../importer/codes.js';
import type { AppliedCounts } from '../../importer/run/appliedcounts.js';
import { denialReasons } from '../../keys/login/terms.js';
import { noLogin } from '../../server/ssh/failedlogins.js';
import type { CountedEvent } from '../../server/workers/messages.js';
import type { Count } from '../counting.js';

/** Every word that a label may have: other texts are `other`. */
const loginReasons: ReadonlySet<unknown> = new Set([...denialReasons, noLogin]);

/** Of the counts of a run, those of users and teams. */
const results = ['created', 'updated', 'unchanged', 'deactivated', 'scheduled', 'stubs', 'faults'] as const;

export function createCounters(registry: Registry): Count {
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const countRecord = createRecordCounters(registry, counter);
  const countRun = createRunCounters(counter);
  const deliveries = counter(
    'dropslot_deliveries_total',
    'Attempts to deliver events, by kind of subscriber and result.',
    ['kind', 'result'],
  );
  const restarts = counter(
    'dropslot_restarts_total',
    'Processes of the importer and of the HTTP API that ended and were started again, by the cause of their end.',
    ['process', 'cause'],
  );
  // A counter that appears with its first count has no increase.
  for (const process of ['importer', 'scheduler', 'api']) restarts.inc({ process, cause: 'ended' }, 0);
  return (message) => {
    if (message.type === 'audit') message.events.forEach(countRecord);
    else if (message.type === 'applied') countRun(message.counts);
    else if (message.type === 'delivery') deliveries.inc({ kind: message.kind, result: message.result });
    else restarts.inc({ process: message.process, cause: message.cause });
  };
}

type MakeCounter = <Label extends string>(name: string, help: string, labelNames: Label[]) => Counter<Label>;

function createRecordCounters(registry: Registry, counter: MakeCounter): (event: CountedEvent) => void {
  const uploads = counter('dropslot_uploads_total', 'Uploads that ended, by outcome.', ['outcome']);
  const bytes = counter('dropslot_upload_bytes_total', 'Bytes of complete uploads.', []);
  const logins = counter('dropslot_logins_total', 'Logins, by result; refused ones by reason.', ['result', 'reason']);
  const records = counter('dropslot_audit_records_total', 'Audit records of this server, by action.', ['action']);
  const seconds = new Histogram({
    ...{ name: 'dropslot_upload_seconds', help: 'Seconds from the OPEN of a complete upload to its CLOSE.' },
    ...{ buckets: [0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600], registers: [registry] },
  });
  return ({ action, detail }) => {
    records.inc({ action });
    const [, outcome] = /^upload\.(closed|partial|aborted|failed)$/.exec(action) ?? [];
    if (outcome !== undefined) uploads.inc({ outcome: outcome === 'closed' ? 'complete' : outcome });
    if (outcome === 'closed') {
      bytes.inc(Number(detail.size ?? 0));
      seconds.observe(Number(detail.ms ?? 0) / 1000);
    }
    if (action === 'login.accepted') logins.inc({ result: 'accepted' });
    if (action === 'login.refused')
      logins.inc({ result: 'refused', reason: knownReason(detail.reason) }, Number(detail.connections ?? 1));
  };
}

function knownReason(reason: unknown): string {
  return loginReasons.has(reason) ? String(reason) : 'other';
}

function createRunCounters(counter: MakeCounter): (counts: AppliedCounts) => void {
  const rows = counter('dropslot_rows_total', 'Data rows of files in settled runs, by type of the file.', ['type']);
  const applied = counter(
    'dropslot_import_results_total',
    'Users and teams in settled runs, by result; faults: rows that were rejected.',
    ['entity', 'result'],
  );
  const issues = counter('dropslot_issues_total', 'Refusals, faults and warnings in settled runs, by code.', ['code']);
  return (counts) => {
    for (const [type, count] of Object.entries(counts.rows)) rows.inc({ type }, count);
    for (const entity of ['users', 'teams'] as const)
      for (const result of results) applied.inc({ entity, result }, counts[entity][result]);
    for (const [code, count] of Object.entries(counts.issues))
      issues.inc({ code: explainCode(code) === null ? 'other' : code }, count);
  };
}
