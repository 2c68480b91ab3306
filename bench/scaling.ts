/**
 * A model of many organizations: the measured cost of one upload and one import on PostgreSQL, then the slot hour simulated with the
 * real scheduler and the real queue, whose imports only take their measured time and share one database server. Writes docs/scaling.svg.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createSilentLogger } from '../config/logger.js';
import { settingsSchema } from '../config/settings.js';
import { type Db, openControl, openDirectory } from '../db/connection.js';
import { claimRun, finishRun } from '../db/control/runs.js';
import { openDueSlots } from '../importer/schedule/slots.js';
import { Company } from '../test/support/company.js';
import { sampleOrg } from '../test/support/samples.js';
import { openScope, type Scope, temporaryFolder } from '../test/support/temporary.js';
import { readServerTime } from './memory.js';
import { plotDelays, type Series } from './plot.js';

const { values } = parseArgs({
  options: {
    orgs: { type: 'string', default: '200' },
    each: { type: 'string', default: '500' },
    /** Seconds of the clock for an import, and of the database server's processors: in place of measuring them. */
    cost: { type: 'string' },
    serverCost: { type: 'string' },
    /** Milliseconds from an importer to the database and back, for each commit of an import. */
    roundTrip: { type: 'string', default: '0.5' },
    serverProcessors: { type: 'string', default: '8' },
    people: { type: 'string', default: '5000' },
    svg: { type: 'string', default: 'docs/scaling.svg' },
  },
});
const people = Number(values.people);
const orgs = Number(values.orgs);
/** Each simulated organization stands for so many: its import takes as long as all of theirs. */
const each = Number(values.each);
const all = (orgs * each).toLocaleString('en');
const slotAt = Date.UTC(2026, 2, 11, 2);
const minuteMs = 60_000;
/** After the first import; that of the median time counts. */
const measuredDays = 5;

const scope = openScope();
try {
  let daily = { elapsedSeconds: Number(values.cost), serverSeconds: Number(values.serverCost), commits: 0 };
  if (values.cost === undefined || values.serverCost === undefined) {
    const cost = await measureCost(scope);
    console.log(JSON.stringify(cost, null, 2));
    daily = cost.daily;
    for (const open of [1_000, 10_000, 100_000])
      console.log(`a claim among ${open} open runs: ${(await measureClaim(scope, open)).toFixed(1)} ms`);
  }
  const load: Load = {
    importMs: daily.elapsedSeconds * 1000 + daily.commits * Number(values.roundTrip),
    serverMs: (daily.serverSeconds * 1000) / Number(values.serverProcessors),
  };
  console.log(
    `an import takes ${load.importMs.toFixed(0)} ms, and the database server for ${load.serverMs.toFixed(1)} ms`,
  );
  const series: Series[] = [];
  for (const jitterMinutes of [0, 30, 60]) {
    const points: Series['points'][number][] = [];
    for (const importers of [4, 8, 16, 32, 64, 128]) {
      const delays = await simulate(importers, jitterMinutes, load);
      points.push({ importers, lastMinutes: delays.last / minuteMs, medianMinutes: delays.median / minuteMs });
      console.log(
        `${all} organizations, ${importers} importers, jitter ${jitterMinutes} min: median ${(delays.median / minuteMs).toFixed(1)} min, last ${(delays.last / minuteMs).toFixed(1)} min`,
      );
    }
    series.push({ name: jitterMinutes === 0 ? 'all at once' : `spread over ${jitterMinutes} minutes`, points });
  }
  writeFileSync(
    values.svg,
    plotDelays(series, `Delay of the last import of ${all} organizations of ${people.toLocaleString('en')} people`),
  );
} finally {
  await scope.close();
}

async function openPostgres(t: Scope) {
  const { startPostgres } = await import('../scripts/postgres.mjs' as string);
  const server = await startPostgres();
  t.after(() => server.stop());
  const settings = settingsSchema.parse({ data: temporaryFolder(t), database: server.url });
  const control = await openControl(settings);
  const directory = await openDirectory(settings);
  t.after(async () => {
    await control.close();
    await directory.close();
  });
  return { url: server.url as string, pid: server.pid as number, databases: { settings, control, directory } };
}

/** Time of the clock, processor time of this process and of the server, and commits, log and growth of the database, for each step. */
async function measureCost(t: Scope) {
  const { url, pid, databases } = await openPostgres(t);
  const acme = await Company.join(databases);
  const file = (changed: number) =>
    [
      'User Email,User Name,Teams,Manager Email',
      ...Array.from(
        { length: people },
        (_, n) =>
          `p${n}@acme.test,Person ${n}${n < changed ? ' changed' : ''},Team ${n % 50},p${Math.floor(n / 10)}@acme.test`,
      ),
      '',
    ].join('\n');
  const client = new pg.Client(url);
  await client.connect();
  const read = async () => {
    await client.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await client.query(
      "SELECT xact_commit AS commits, pg_current_wal_lsn() - '0/0'::pg_lsn AS wal, (SELECT count FROM dropslot_control.audit_head) AS records, pg_database_size(current_database()) AS bytes FROM pg_stat_database WHERE datname = current_database()",
    );
    const { commits, wal, records, bytes } = rows[0];
    return { commits: Number(commits), wal: Number(wal), records: Number(records), bytes: Number(bytes) };
  };
  const measure = async (work: () => Promise<unknown>) => {
    const before = await read();
    const cpu = process.cpuUsage();
    const serverBefore = readServerTime(pid);
    const begun = performance.now();
    await work();
    const elapsed = performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // PostgreSQL reports its counts once a second
    const after = await read();
    return {
      elapsedSeconds: elapsed / 1000,
      processorSeconds: (user + system) / 1e6,
      serverSeconds: readServerTime(pid) - serverBefore,
      commits: after.commits - before.commits,
      walKilobytes: Math.round((after.wal - before.wal) / 1024),
      auditRecords: after.records - before.records,
      databaseKilobytes: Math.round((after.bytes - before.bytes) / 1024),
    };
  };
  const first = await measure(() => acme.import({ 'users.csv': file(0) }));
  const days = [];
  for (let day = 1; day <= measuredDays; day++) {
    acme.clock += 86_400_000;
    const upload = await measure(() => acme.drop('/users.csv', file(day % 2 === 0 ? 0 : people / 100)));
    days.push({ upload, daily: await measure(() => acme.import()) });
  }
  await client.end();
  days.sort((one, other) => one.daily.elapsedSeconds - other.daily.elapsedSeconds);
  return { people, first, ...days[(measuredDays - 1) / 2]! };
}

/** Milliseconds of processor and database together; the time on the wall. */
async function measureClaim(t: Scope, open: number): Promise<number> {
  const { databases } = await openPostgres(t);
  const { control } = databases;
  const acme = await Company.join(databases);
  await control.write.raw(
    `INSERT INTO orgs SELECT (jsonb_populate_record(o, jsonb_build_object('id', 'o' || n))).* FROM orgs o, generate_series(1, ${open}) n WHERE o.id = 'acme'`,
  );
  await control.write.raw(
    `INSERT INTO runs (org_id, kind, slot_date, state, opened_at) SELECT 'o' || n, 'slot', '2026-03-11', 'open', ${slotAt} FROM generate_series(1, ${open}) n`,
  );
  await control.write.raw('ANALYZE');
  const claims = 10;
  await claimRun(control.write, 'warm', acme.clock + 86_400_000, 30_000);
  const begun = performance.now();
  for (let n = 0; n < claims; n++) await claimRun(control.write, `bench${n}`, acme.clock + 86_400_000, 30_000);
  return (performance.now() - begun) / claims;
}

/** Of one import. */
interface Load {
  /** Time of the clock with nothing beside it. */
  importMs: number;
  /** All processors of the database server. */
  serverMs: number;
}

/**
 * By a clock that only the simulation moves: its scheduler wakes each minute, and each importer takes a run when it has ended one. The imports
 * share the database server: together they end no faster than it can work.
 */
async function simulate(
  importers: number,
  jitterMinutes: number,
  { importMs, serverMs }: Load,
): Promise<{ median: number; last: number }> {
  const inner = openScope();
  try {
    const settings = settingsSchema.parse({ data: temporaryFolder(inner) });
    const control = await openControl(settings);
    const directory = await openDirectory(settings);
    inner.after(async () => {
      await control.close();
      await directory.close();
    });
    await queueFiles(control);
    let now = slotAt;
    const free = Array.from({ length: importers }, () => slotAt);
    const ends: number[] = [];
    let serverFree = slotAt;
    const schedule = { control, logger: createSilentLogger(), now: () => now, onOpen: () => {}, jitterMinutes };
    for (let minute = slotAt; ends.length < orgs; minute += minuteMs) {
      now = minute;
      await openDueSlots(schedule);
      for (;;) {
        const next = Math.min(...free);
        if (next >= minute + minuteMs) break;
        now = Math.max(next, minute);
        const run = await claimRun(control.write, 'bench', now, 86_400_000);
        if (run === null) {
          // It looks again when the next runs are opened.
          for (let n = 0; n < free.length; n++) free[n] = Math.max(free[n]!, minute + minuteMs);
          break;
        }
        await finishRun(control.write, run, {}, now);
        serverFree = Math.max(serverFree, now) + serverMs * each;
        const end = Math.max(now + importMs * each, serverFree);
        free[free.indexOf(next)] = end;
        ends.push(end - slotAt);
      }
    }
    ends.sort((a, b) => a - b);
    return { median: ends[Math.floor(ends.length / 2)]!, last: ends.at(-1)! };
  } finally {
    await inner.close();
  }
}

/** One file for each organization, without its bytes: only the queue is looked at. */
async function queueFiles(control: Db): Promise<void> {
  const acme = sampleOrg('acme', { timeZone: 'UTC', slot: '02:00' });
  const { insertOrg } = await import('../db/control/orgs.js');
  await control.transact(async (tx) => {
    for (let n = 0; n < orgs; n++) {
      const org = `o${n}`;
      await insertOrg(tx, { ...acme, id: org });
      // That of the day before is over.
      await tx('orgs')
        .where({ id: org })
        .update({ slot_mark: slotAt - 86_400_000 });
      const blob = {
        id: `b${n}`,
        org_id: org,
        size: 500_000,
        sealed_size: 500_300,
        sha256: `${n}`,
        created_at: slotAt,
      };
      await tx('blobs').insert(blob);
      const upload = {
        org_id: org,
        path: '/users.csv',
        blob_id: blob.id,

        state: 'queued',
        begun_at: 1,
        closed_at: 1,
      };
      await tx('uploads').insert({ ...upload, queued_at: 1, queue_number: n + 1 });
    }
  });
}
