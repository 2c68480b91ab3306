/** The events that follow from audit records: one table, so that no action is recorded in two places. */
import type { AuditEvent } from './auditchain.js';
import type { NewEvent } from './eventrows.js';

type Detail = Record<string, unknown>;
type Derive = (record: AuditEvent) => Pick<NewEvent, 'type' | 'data'> & { run?: number | null };

/** Keys of the record's detail that the event has too, where they are there. */
const pick = (detail: Detail, ...keys: readonly string[]): Detail =>
  Object.fromEntries(keys.flatMap((key) => (detail[key] === undefined ? [] : [[key, detail[key]]])));

const upload =
  (type: string, ...keys: readonly string[]): Derive =>
  ({ subject, detail }) => ({ type, data: { path: subject, ...pick(detail, ...keys) } });

/** The records of a run say in their subject which one it is. */
const run =
  (type: string, dataOf: (record: AuditEvent) => Detail = () => ({})): Derive =>
  (record) => {
    const id = Number(/^run (\d+)$/.exec(record.subject)?.[1]);
    return { type, run: id, data: { run: id, ...dataOf(record) } };
  };

const check: Derive = ({ action, detail }) => ({
  type: detail.refused === true ? 'check.would_refuse' : 'check.completed',
  data: { ...pick(detail, 'upload', 'type', 'rows'), dryRun: action === 'upload.rehearsed' },
});

const alarm =
  (type: string): Derive =>
  ({ subject, detail }) => {
    // `missing users`, `source_failing source 3`
    const [kind, files, id] = subject.split(' ') as [string, string, string | undefined];
    return { type, data: { kind, ...(id === undefined ? { files } : { [files]: Number(id) }), ...detail } };
  };

const key =
  (type: string, ...keys: readonly string[]): Derive =>
  ({ subject, detail }) => ({ type, data: { key: subject, ...pick(detail, ...keys) } });

const org =
  (type: string): Derive =>
  ({ action, detail }) => ({
    type,
    data: action === 'org.changed' ? { settings: namesOf(detail) } : pick(detail, 'reason'),
  });

/** The names of the changed settings: their values may be addresses. */
function namesOf(detail: Detail): string[] {
  const changed = (detail.after ?? detail.changes ?? detail) as Detail;
  return Object.keys(changed).sort();
}

const hostKey =
  (type: string): Derive =>
  ({ subject, detail }) => ({ type, data: { fingerprint: subject, ...pick(detail, 'type') } });

const derivations: Record<string, Derive> = {
  'upload.closed': upload('upload.completed', 'upload', 'size', 'sha256', 'queued'),
  'upload.partial': upload('upload.partial', 'size', 'keptBytes'),
  'upload.superseded': upload('upload.superseded', 'upload', 'size', 'sha256', 'archivedAs'),
  'upload.checked': check,
  'upload.rehearsed': check,
  'upload.quarantined': ({ detail }) => ({
    type: 'file.quarantined',
    data: pick(detail, 'upload', 'cause', 'strikes'),
  }),
  'run.held': run('run.held'),
  'run.approved': run('run.approved', ({ actor, detail }) => ({ by: actor, ...pick(detail, 'until') })),
  'run.rejected': run('run.rejected', ({ actor, detail }) => ({ by: actor, ...pick(detail, 'uploads', 'requeued') })),
  'run.failed': run('run.failed', ({ detail }) => pick(detail, 'failure')),
  'alarm.opened': alarm('alarm.opened'),
  'alarm.resolved': alarm('alarm.resolved'),
  'org.added': org('org.added'),
  'org.changed': org('org.changed'),
  'org.enabled': org('org.enabled'),
  'org.disabled': org('org.disabled'),
  'org.removed': org('org.removed'),
  'org.sftp_requested': org('org.sftp_requested'),
  'org.sftp_request_ended': org('org.sftp_request_ended'),
  'key.added': key('key.added', 'kind', 'algorithm', 'expiresAt'),
  'key.changed': key('key.changed'),
  'key.replaced': key('key.rotated', 'by', 'expiresAt'),
  'key.revoked': key('key.revoked'),
  'hostkey.added': hostKey('hostkey.added'),
  'hostkey.activated': hostKey('hostkey.activated'),
  'hostkey.removed': hostKey('hostkey.removed'),
  'backup.made': ({ detail }) => ({ type: 'backup.completed', data: pick(detail, 'files') }),
  'backup.failed': ({ detail }) => ({ type: 'backup.failed', data: pick(detail, 'reason') }),
};

/** Of the once-a-minute summary alone: a record for each refused key would be an event for each attempt of an attacker. */
function digest({ detail }: AuditEvent): Pick<NewEvent, 'type' | 'data'> {
  return { type: 'login.refused', data: { addresses: 1, ...pick(detail, 'addresses', 'connections', 'address') } };
}

/** The event of an audit record; null: the record has none. */
export function eventOfRecord(record: AuditEvent): NewEvent | null {
  const { at, org: id, action, actor, subject } = record;
  const derive = action === 'login.refused' && actor === 'system' ? digest : derivations[action];
  return derive === undefined ? null : { at, org: id, subject, ...derive(record) };
}

/** For tests: every action with an event. */
export const actionsWithEvents: readonly string[] = [...Object.keys(derivations), 'login.refused'];
