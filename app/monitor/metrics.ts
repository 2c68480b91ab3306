/** The metrics of `/metrics`: counters of this server, and gauges that each scrape reads from the database. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Db } from '../../db/connection.js';
import {
  countWarnings,
  findFirstLeaseEnd,
  findLastApplied,
  findNextExpiry,
  longestSlotDelay,
  measurePenalties,
  measureSubscribers,
} from '../../db/control/overview.js';
import type { CommitWait } from '../../db/postgres/replication.js';
import { readCounts } from '../../operations/status.js';
import type { Workplace } from '../../operations/workplace.js';
import type { Count } from '../counting.js';
import type { WorkerView } from '../workerpool.js';
import { createCounters } from './counters.js';
import { createStorageMeasure, type Storage } from './storage.js';

export interface MetricsDeps {
  workplace: Workplace;
  version: string;
  /** Open connections of this process. */
  countConnections: () => number;
  viewWorkers?: () => readonly WorkerView[];
  /** Commits that wait for a standby of PostgreSQL; null: none does. */
  findCommitWait?: () => CommitWait | null;
}

export interface Metrics {
  /** Counts for the other processes of the server: audit records of this one count by themselves. */
  count: Count;
  /** In the text format of Prometheus. */
  render(): Promise<string>;
  contentType: string;
  stop(): void;
}

const dayMs = 86_400_000;
const keyDays = 30;

export function createMetrics(deps: MetricsDeps): Metrics {
  const { workplace, version, countConnections, viewWorkers, findCommitWait } = deps;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'dropslot_' });
  const count = createCounters(registry);
  const stop = workplace.control.onAudit?.((events) => count({ type: 'audit', events })) ?? (() => {});
  const measureStorage = createStorageMeasure(workplace);
  const gauges = createGauges(registry);
  const build = new Gauge({
    ...{ name: 'dropslot_build_info', help: 'Version of Dropslot and of Node.js; always 1.' },
    ...{ labelNames: ['version', 'node', 'database'], registers: [registry] },
  });
  build.set({ version, node: process.version, database: workplace.control.dialect }, 1);
  return {
    count,
    contentType: registry.contentType,
    stop,
    render: async () => {
      gauges.connections!.set(countConnections());
      setWorkers(gauges, viewWorkers?.() ?? []);
      const { commits = 0, waitedMs = 0 } = findCommitWait?.() ?? {};
      gauges.commits!.set(commits);
      gauges.commitAge!.set(waitedMs / 1000);
      await readGauges(workplace, gauges, measureStorage);
      return registry.metrics();
    },
  };
}

const gaugeTexts = {
  connections: ['dropslot_connections', 'Open SSH connections of this server.', []],
  workers: ['dropslot_workers', 'Processes for connections that are ready; none with workers=1.', []],
  workerConnections: ['dropslot_worker_connections', 'Open SSH connections of a worker.', ['worker']],
  workerMemory: ['dropslot_worker_resident_memory_bytes', 'Resident memory of a worker.', ['worker']],
  workerProcessor: ['dropslot_worker_cpu_seconds', 'Processor time of a worker since it began.', ['worker']],
  workerRestarts: ['dropslot_worker_restarts', 'How often a worker was started again.', ['worker']],
  commits: ['dropslot_commits_waiting', 'Commits that wait for a standby of PostgreSQL for longer than 3 seconds.', []],
  commitAge: ['dropslot_commits_waiting_oldest_seconds', 'How long the oldest of them has waited; 0: none waits.', []],
  queueFiles: ['dropslot_queue_files', 'Files that wait for their import.', []],
  queueAge: ['dropslot_queue_oldest_seconds', 'Age of the oldest of them; 0: none waits.', []],
  runs: ['dropslot_runs', 'Runs that have not ended, by state; failed: in the last 24 hours.', ['state']],
  slotDelay: [
    'dropslot_slot_delay_seconds',
    'Longest wait of a run from its opening to its start in the last 24 hours.',
    [],
  ],
  leaseAge: [
    'dropslot_run_lease_age_seconds',
    'Longest time since an importer renewed the lease of its run; 0: none runs.',
    [],
  ],
  lastRun: [
    'dropslot_last_run_timestamp_seconds',
    'When the last run of the enabled organizations was applied; 0: none was.',
    [],
  ],
  orgLastRun: [
    'dropslot_organization_last_run_timestamp_seconds',
    'When the last run of an enabled organization was applied (with monitorOrganizations=on).',
    ['organization'],
  ],
  stored: ['dropslot_stored_bytes', 'Bytes that all organizations have stored, before encryption.', []],
  orgStored: [
    'dropslot_organization_stored_bytes',
    'Bytes that an organization has stored, before encryption (with monitorOrganizations=on).',
    ['organization'],
  ],
  nearQuota: [
    'dropslot_organizations_near_quota',
    'Organizations that have at least 90 % of the storage or of the files that they may have.',
    [],
  ],
  alarms: ['dropslot_alarms_open', 'Open alarms about files, sources and watched folders of organizations.', []],
  organizations: ['dropslot_organizations', 'Organizations, by state.', ['state']],
  diskFree: ['dropslot_disk_free_bytes', 'Free bytes on the disk of the data folder.', []],
  diskTotal: ['dropslot_disk_total_bytes', 'Size of the disk of the data folder.', []],
  backup: ['dropslot_last_backup_timestamp_seconds', 'When the last backup was made; 0: none was.', []],
  importer: ['dropslot_importer_seen_timestamp_seconds', 'When the schedule of an importer last ran; 0: never.', []],
  keys: ['dropslot_keys_expiring', 'Login keys that expire within 30 days.', []],
  nextExpiry: [
    'dropslot_next_key_expiry_timestamp_seconds',
    'When the next login key expires; 0: none of them expires.',
    [],
  ],
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

async function readGauges(workplace: Workplace, gauges: Gauges, measureStorage: () => Promise<Storage>): Promise<void> {
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
  gauges.nextExpiry!.set(((await findNextExpiry(db, now)) ?? 0) / 1000);
  gauges.penalties!.set(await measurePenalties(db, now));
  const leaseEnd = await findFirstLeaseEnd(db);
  const leaseMs = workplace.settings.leaseSeconds * 1000;
  gauges.leaseAge!.set(leaseEnd === null ? 0 : Math.max(0, now - leaseEnd + leaseMs) / 1000);
  setOrganizations(workplace, gauges, await findLastApplied(db), await measureStorage());
  gauges.subscribers!.reset();
  let failing = 0;
  for (const { kind, state, count, failures } of await measureSubscribers(db)) {
    gauges.subscribers!.set({ kind, state }, count);
    failing += failures;
  }
  gauges.failing!.set(failing);
  gauges.database!.set((performance.now() - began) / 1000);
}

/** @param lastRuns by organization, in ms */
function setOrganizations(
  { settings }: Workplace,
  gauges: Gauges,
  lastRuns: ReadonlyMap<string, number>,
  { bytes, near, byOrg }: Storage,
): void {
  gauges.lastRun!.set([...lastRuns.values()].reduce((last, at) => Math.max(last, at), 0) / 1000);
  gauges.stored!.set(bytes);
  gauges.nearQuota!.set(near);
  if (settings.monitorOrganizations !== 'on') return;
  for (const gauge of [gauges.orgLastRun!, gauges.orgStored!]) gauge.reset();
  for (const [organization, at] of lastRuns) gauges.orgLastRun!.set({ organization }, at / 1000);
  for (const [organization, its] of byOrg) gauges.orgStored!.set({ organization }, its);
}
