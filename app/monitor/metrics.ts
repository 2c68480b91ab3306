/** The metrics of `/metrics`: counters from the audit records of this process, and gauges that each scrape reads from the database. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Db } from '../../db/connection.js';
import { countWarnings, longestSlotDelay, measurePenalties, measureSubscribers } from '../../db/control/overview.js';
import { readCounts } from '../../operations/status.js';
import type { Workplace } from '../../operations/workplace.js';
import type { CountedEvent } from '../../server/workers/messages.js';
import type { WorkerView } from '../workerpool.js';

export interface MetricsDeps {
  workplace: Workplace;
  version: string;
  /** Open connections of this process. */
  countConnections: () => number;
  viewWorkers?: () => readonly WorkerView[];
}

export interface Metrics {
  /** Counts audit records of the workers: those of this process count by themselves. */
  countRecords(events: readonly CountedEvent[]): void;
  /** In the text format of Prometheus. */
  render(): Promise<string>;
  contentType: string;
  stop(): void;
}

const dayMs = 86_400_000;
const keyDays = 30;

export function createMetrics({ workplace, version, countConnections, viewWorkers }: MetricsDeps): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'dropslot_' });
  const count = countRecords(registry);
  const stop = workplace.control.onAudit?.(count) ?? (() => {});
  const gauges = createGauges(registry);
  const build = new Gauge({
    ...{ name: 'dropslot_build_info', help: 'Version of Dropslot and of Node.js; always 1.' },
    ...{ labelNames: ['version', 'node', 'database'], registers: [registry] },
  });
  build.set({ version, node: process.version, database: workplace.control.dialect }, 1);
  return {
    countRecords: count,
    contentType: registry.contentType,
    stop,
    render: async () => {
      gauges.connections!.set(countConnections());
      setWorkers(gauges, viewWorkers?.() ?? []);
      await readGauges(workplace, gauges);
      return registry.metrics();
    },
  };
}

/** Counts from the records of the audit trail, so that no place in the code counts by itself. */
function countRecords(registry: Registry): (events: readonly CountedEvent[]) => void {
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const uploads = counter('dropslot_uploads_total', 'Uploads that ended, by outcome.', ['outcome']);
  const bytes = counter('dropslot_upload_bytes_total', 'Bytes of complete uploads.', []);
  const logins = counter('dropslot_logins_total', 'Logins, by result.', ['result']);
  const records = counter('dropslot_audit_records_total', 'Audit records of this process, by action.', ['action']);
  const seconds = new Histogram({
    ...{ name: 'dropslot_upload_seconds', help: 'Seconds from the OPEN of a complete upload to its CLOSE.' },
    ...{ buckets: [0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600], registers: [registry] },
  });
  return (events) => {
    for (const { action, detail } of events) {
      records.inc({ action });
      const [, outcome] = /^upload\.(closed|partial|aborted|failed)$/.exec(action) ?? [];
      if (outcome !== undefined) uploads.inc({ outcome: outcome === 'closed' ? 'complete' : outcome });
      if (outcome === 'closed') {
        bytes.inc(Number(detail.size ?? 0));
        seconds.observe(Number(detail.ms ?? 0) / 1000);
      }
      if (action === 'login.accepted') logins.inc({ result: 'accepted' });
      if (action === 'login.refused') logins.inc({ result: 'refused' }, Number(detail.connections ?? 1));
    }
  };
}

const gaugeTexts = {
  connections: ['dropslot_connections', 'Open SSH connections of this server.', []],
  workers: ['dropslot_workers', 'Processes for connections that are ready; none with workers=1.', []],
  workerConnections: ['dropslot_worker_connections', 'Open SSH connections of a worker.', ['worker']],
  workerMemory: ['dropslot_worker_resident_memory_bytes', 'Resident memory of a worker.', ['worker']],
  workerProcessor: ['dropslot_worker_cpu_seconds', 'Processor time of a worker since it began.', ['worker']],
  workerRestarts: ['dropslot_worker_restarts', 'How often a worker was started again.', ['worker']],
  queueFiles: ['dropslot_queue_files', 'Files that wait for their import.', []],
  queueAge: ['dropslot_queue_oldest_seconds', 'Age of the oldest of them; 0: none waits.', []],
  runs: ['dropslot_runs', 'Runs that have not ended, by state; failed: in the last 24 hours.', ['state']],
  slotDelay: [
    'dropslot_slot_delay_seconds',
    'Longest wait of a run from its opening to its start in the last 24 hours.',
    [],
  ],
  alarms: ['dropslot_alarms_open', 'Open alarms about files, sources and watched folders of organizations.', []],
  organizations: ['dropslot_organizations', 'Organizations, by state.', ['state']],
  diskFree: ['dropslot_disk_free_bytes', 'Free bytes on the disk of the data folder.', []],
  diskTotal: ['dropslot_disk_total_bytes', 'Size of the disk of the data folder.', []],
  backup: ['dropslot_last_backup_timestamp_seconds', 'When the last backup was made; 0: none was.', []],
  importer: ['dropslot_importer_seen_timestamp_seconds', 'When the schedule of an importer last ran; 0: never.', []],
  keys: ['dropslot_keys_expiring', 'Login keys that expire within 30 days.', []],
  penalties: ['dropslot_penalties', 'Addresses that have a penalty now.', []],
  subscribers: ['dropslot_subscribers', 'Subscribers of events, by kind and state.', ['kind', 'state']],
  failing: ['dropslot_subscribers_failing', 'Enabled subscribers whose last delivery failed.', []],
  database: ['dropslot_database_seconds', 'Duration of the queries of this scrape.', []],
} as const satisfies Record<string, readonly [string, string, readonly string[]]>;

type Gauges = Partial<Record<keyof typeof gaugeTexts, Gauge<string>>>;

function createGauges(registry: Registry): Gauges {
  return Object.fromEntries(
    Object.entries(gaugeTexts).map(([key, [name, help, labelNames]]) => [
      key,
      new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] }),
    ]),
  );
}

function setWorkers(gauges: Gauges, workers: readonly WorkerView[]): void {
  gauges.workers!.set(workers.filter(({ isReady }) => isReady).length);
  for (const { number, connections, state, restarts } of workers) {
    const labels = { worker: String(number) };
    gauges.workerConnections!.set(labels, connections);
    gauges.workerMemory!.set(labels, state?.memoryBytes ?? 0);
    gauges.workerProcessor!.set(labels, (state?.processorMs ?? 0) / 1000);
    gauges.workerRestarts!.set(labels, restarts);
  }
}

async function readGauges(workplace: Workplace, gauges: Gauges): Promise<void> {
  const began = performance.now();
  const now = workplace.now();
  const { queue, runs, disk, organizations, lastBackupAt, importerSeenAt } = await readCounts(workplace);
  const db: Db['read'] = workplace.control.read;
  gauges.queueFiles!.set(queue.files);
  gauges.queueAge!.set(queue.oldestAt === null ? 0 : Math.max(0, now - queue.oldestAt) / 1000);
  for (const [state, count] of Object.entries({ ...runs, failedLastDay: undefined, failed: runs.failedLastDay }))
    if (count !== undefined) gauges.runs!.set({ state }, count);
  gauges.slotDelay!.set((await longestSlotDelay(db, now - dayMs)) / 1000);
  const { alarms, keys } = await countWarnings(db, { now, before: now + keyDays * dayMs });
  gauges.alarms!.set(alarms);
  gauges.organizations!.set({ state: 'enabled' }, organizations.enabled);
  gauges.organizations!.set({ state: 'disabled' }, organizations.all - organizations.enabled);
  gauges.diskFree!.set(disk.freeBytes);
  gauges.diskTotal!.set(disk.totalBytes);
  gauges.backup!.set((lastBackupAt ?? 0) / 1000);
  gauges.importer!.set((importerSeenAt ?? 0) / 1000);
  gauges.keys!.set(keys);
  gauges.penalties!.set(await measurePenalties(db, now));
  gauges.subscribers!.reset();
  let failing = 0;
  for (const { kind, state, count, failures } of await measureSubscribers(db)) {
    gauges.subscribers!.set({ kind, state }, count);
    failing += failures;
  }
  gauges.failing!.set(failing);
  gauges.database!.set((performance.now() - began) / 1000);
}
