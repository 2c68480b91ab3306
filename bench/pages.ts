/**
 * The time that the server takes for each route of the HTTP API, for lists of SCIM, and for each page of the console, with many
 * organizations and users: `node --import tsx bench/pages.ts [--orgs 2000] [--users 200000] [--runs 5] [--data DIR] [--only TEXT]`.
 * The data are made once for a folder; half of the users are those of one organization.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openWorkplace } from '../app/compose.js';
import { createSilentLogger } from '../config/logger.js';
import { settingsSchema } from '../config/settings.js';
import type { Queryable } from '../db/connection.js';
import { insertOrg } from '../db/control/orgs.js';
import { noCounts } from '../importer/counts.js';
import { createOrgIdentity } from '../keys/master/orgidentity.js';
import { inviteAccount } from '../operations/accounts/people.js';
import { beginSession } from '../operations/accounts/sessions.js';
import { createDrops } from '../operations/drops/drops.js';
import { createSharedWork } from '../operations/places.js';
import { listServerSettings } from '../operations/settings.js';
import { addToken } from '../operations/tokens.js';
import type { Workplace } from '../operations/workplace.js';
import { sampleOrg } from '../test/support/samples.js';
import { createApi } from '../web/api/api.js';
import { routes as apiRoutes } from '../web/api/table.js';
import { createConsole } from '../web/console/console.js';
import { routes as pages } from '../web/console/table.js';

const { values } = parseArgs({
  options: {
    orgs: { type: 'string', default: '2000' },
    users: { type: 'string', default: '200000' },
    runs: { type: 'string', default: '5' },
    data: { type: 'string', default: join(tmpdir(), 'dropslot-bench-pages') },
    only: { type: 'string', default: '' },
  },
});
const [orgs, users, runs] = [Number(values.orgs), Number(values.users), Number(values.runs)];
const limitMs = 100;
const batch = 500;
/** They connect to other machines, read everything on purpose, or never end. */
const left = /doctor|proof|progress|exports\/(users|teams)$|\.csv$|\.jsonl$|content$|download$|\/templates?\//;

const now = Date.now();
const isNew = !existsSync(join(values.data, 'control.db'));
const opened = await openWorkplace(settingsSchema.parse({ data: values.data }), { create: true });
const place: Workplace = { ...opened, settings: { ...opened.settings, apiRequestsPerMinute: 1_000_000 } };
if (isNew) await fill(place);
await measure(place);
await place.close();

async function fill({ control, directory, makeMaster }: Workplace): Promise<void> {
  const startedAt = performance.now();
  const { master } = await makeMaster();
  const identity = await createOrgIdentity(master.recipient);
  const ids = Array.from({ length: orgs }, (_, n) => (n === 0 ? 'acme' : `org${n}`));
  for (const id of ids) await insertOrg(control.write, sampleOrg(id, identity));
  const perOrg = Math.max(1, Math.floor(users / 2 / Math.max(1, orgs - 1)));
  for (const [n, id] of ids.entries())
    await fillDirectory(directory.write, id, n === 0 ? Math.ceil(users / 2) : perOrg);
  for (const [n, id] of ids.entries()) await fillControl(control.write, id, n === 0 ? 1_000 : 20);
  console.log(`made the data in ${Math.round((performance.now() - startedAt) / 1000)} s`);
}

async function insert(db: Queryable, table: string, count: number, rowOf: (n: number) => object): Promise<void> {
  for (let from = 0; from < count; from += batch) {
    const rows = Array.from({ length: Math.min(batch, count - from) }, (_, n) => rowOf(from + n));
    await db.transaction(async (tx) => {
      for (let at = 0; at < rows.length; at += 60) await tx(table).insert(rows.slice(at, at + 60));
    });
  }
}

async function lastOf(db: Queryable, table: string, column: string): Promise<number> {
  const row = await db(table).max({ last: column }).first();
  return Number(row?.last ?? 0);
}

async function fillDirectory(db: Queryable, org: string, count: number): Promise<void> {
  const labels = ['Department', 'Location', 'Employee ID'];
  const field = (n: number) => `${org}f${n}`;
  await insert(db, 'fields', labels.length, (n) => ({
    ...{ id: field(n), org_id: org, label: labels[n]!, label_key: labels[n]!.toLowerCase().replaceAll(' ', '') },
    ...{ type: 'text', position: n, created_at: now },
  }));
  const lastUser = await lastOf(db, 'users', 'id');
  const lastTeam = await lastOf(db, 'teams', 'id');
  const [firstUser, firstTeam] = [lastUser + 1, lastTeam + 1];
  const teams = Math.max(3, Math.ceil(count / 50));
  await insert(db, 'users', count, (n) => {
    const key = n === 0 ? `owner@${org}.test` : `user${String(n).padStart(6, '0')}@${org}.test`;
    const custom = { [field(0)]: `Department ${n % 40}`, [field(1)]: 'Berlin', [field(2)]: String(n) };
    return {
      ...{ id: firstUser + n, org_id: org, email: key, email_key: key, user_name: null },
      ...{
        first_name: `Ann${n % 900}`,
        last_name: `Miller${n % 700}`,
        manager_id: n === 0 ? null : firstUser + Math.floor(n / 10),
      },
      ...{ account_type: 'Regular', is_admin: n < 3 ? 1 : 0, status: n % 20 === 19 ? 'deactivated' : 'active' },
      ...{ custom: JSON.stringify(custom), created_at: now - n, updated_at: now - n },
    };
  });
  await insert(db, 'teams', teams, (n) => ({
    ...{ id: firstTeam + n, org_id: org, name: `Team ${n}`, name_key: `team ${n}`, owner_id: firstUser },
    ...{ parent_id: n === 0 ? null : firstTeam + Math.floor(n / 8), type: 'Unit', created_at: now, updated_at: now },
  }));
  await insert(db, 'memberships', 2 * count, (n) => ({
    user_id: firstUser + Math.floor(n / 2),
    team_id: firstTeam + ((Math.floor(n / 2) + (n % 2)) % teams),
  }));
  await insert(db, 'changes', count, (n) => ({
    ...{ org_id: org, run_id: null, entity: 'user', entity_id: String(firstUser + n), field: 'Last Name' },
    ...{ before: 'Smith', after: 'Miller', at: now - n },
  }));
}

async function fillControl(db: Queryable, org: string, count: number): Promise<void> {
  const path = (n: number) => `users-${n}.csv`;
  const blob = (n: number) => `${org}-${n}-`.padEnd(32, '0');
  const date = (n: number) => new Date(now - (n + 1) * 86_400_000).toISOString().slice(0, 10);
  await insert(db, 'login_keys', 3, (n) => ({
    ...{ org_id: org, fingerprint: `SHA256:${org}${n}`.padEnd(50, 'a'), algorithm: 'ssh-ed25519', public_key: 'AAAA' },
    ...{ label: `HR ${n}`, sources: '[]', created_at: now, kind: 'key', permission: 'read' },
  }));
  const lastRun = await lastOf(db, 'runs', 'id');
  const firstRun = lastRun + 1;
  const summary = (run: number, n: number) => ({
    ...{ run, org, kind: 'slot', state: 'applied', hold: [], note: null, date: date(n), timeZone: 'Europe/Berlin' },
    ...{
      startedAt: now - n,
      appliedAt: now - n,
      users: { ...noCounts(), updated: 12, unchanged: 300 },
      teams: noCounts(),
      files: [],
    },
  });
  await insert(db, 'runs', count, (n) => ({
    ...{
      id: firstRun + n,
      org_id: org,
      kind: 'slot',
      slot_date: date(n),
      state: 'done',
      opened_at: now - n,
      started_at: now - n,
    },
    ...{ finished_at: now - n, summary: JSON.stringify(summary(firstRun + n, n)) },
  }));
  const lastUpload = await lastOf(db, 'uploads', 'id');
  const firstUpload = lastUpload + 1;
  await insert(db, 'blobs', count, (n) => ({
    ...{ id: blob(n), org_id: org, size: 1_000, sealed_size: 1_300, sha256: 'a'.repeat(64), created_at: now },
  }));
  await insert(db, 'uploads', count, (n) => ({
    ...{
      id: firstUpload + n,
      org_id: org,
      path: `/${path(n)}`,
      blob_id: blob(n),
      state: n === 0 ? 'queued' : 'imported',
    },
    ...{ run_id: n === 0 ? null : firstRun + n, begun_at: now - n, closed_at: now - n, queued_at: now - n },
    ...{ settled_at: n === 0 ? null : now - n, queue_number: firstUpload + n, type: 'users', checked_at: now },
  }));
  await insert(db, 'entries', count, (n) => ({
    ...{
      org_id: org,
      dir: n === 0 ? '/' : `/archive/${date(n)}`,
      name: path(n),
      folded_name: path(n),
      kind: 'file',
      blob_id: blob(n),
    },
    ...{ upload_id: firstUpload + n, size: 1_000, mode: 420, mtime_ms: now, atime_ms: now, created_at: now },
  }));
  const lastSeq = await lastOf(db, 'audit', 'seq');
  const firstSeq = lastSeq + 1;
  await insert(db, 'audit', 5 * count, (n) => ({
    ...{ at: now, org_id: org, actor: `key:SHA256:${org}0`, action: 'file.read', subject: `/${path(n)}`, detail: '{}' },
    ...{ seq: firstSeq + n, hash: 'a'.repeat(64) },
  }));
  await db('audit_head')
    .where({ id: 1 })
    .update({ count: firstSeq + 5 * count - 1, hash: 'a'.repeat(64) });
  await insert(db, 'events', 5 * count, (n) => ({
    ...{
      id: `evt_${org}_${n}`,
      org_id: org,
      type: 'upload.completed',
      at: now - n,
      run_id: null,
      subject: `/${path(n)}`,
    },
    data: JSON.stringify({
      path: `/${path(n)}`,
      upload: firstUpload,
      size: 1_000,
      sha256: 'a'.repeat(64),
      queued: true,
    }),
  }));
}

interface Asked {
  name: string;
  ask(): Promise<Response>;
}

async function measure(workplace: Workplace): Promise<void> {
  const drops = createDrops(workplace, createSilentLogger());
  let clock = 0;
  const shared = {
    ...{
      workplace,
      open: openWorkplace,
      drops,
      version: '0',
      settings: listServerSettings({ file: undefined, overrides: {} }),
    },
    ...{ logger: createSilentLogger(), isSecure: false, clock: () => (clock += 1_000), work: createSharedWork() },
  };
  const api = createApi(shared);
  const site = createConsole({ ...shared, url: null });
  const { secret } = await addToken(workplace, { name: 'bench', scope: 'admin' });
  const session = async (role: string, org?: string) => {
    const email = `${role}${Date.now()}@bench.test`;
    const { account } = await inviteAccount(workplace, { email, role, org });
    const proof = { method: 'invitation', factor: 'invitation' } as const;
    return (await beginSession(workplace, account, { address: null, agent: null }, proof, () => true))!;
  };
  const [owner, admin] = [await session('owner'), await session('admin', 'acme')];
  const some = await workplace.control.read('runs').where({ org_id: 'acme' }).max({ run: 'id' }).first();
  const key = (await workplace.control.read('login_keys').where({ org_id: 'acme' }).first('fingerprint')).fingerprint;
  const [user] = await workplace.directory.read('users').where({ org_id: 'acme' }).orderBy('id').offset(777).limit(1);
  const known: Record<string, string> = {
    ...{ org: 'acme', run: String(some?.run), key, email: user.email, team: 'Team 7', field: 'Department' },
    ...{ event: 'evt_acme_1', name: 'users-0.csv', alias: 'x', id: '1', address: 'x@acme.test' },
  };
  const fillIn = (path: string) =>
    path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(known[name] ?? 'x'));
  const ofApi = (path: string): Asked['ask'] => {
    const request = () => new Request(`http://localhost${path}`, { headers: { authorization: `Bearer ${secret}` } });
    return async () => api.fetch(request());
  };
  const ofSite = (path: string, cookie: string): Asked['ask'] => {
    const request = () => new Request(`http://localhost${path}`, { headers: { cookie: `dropslot=${cookie}` } });
    return async () => site.fetch(request());
  };
  const scim = (query: string) => ({
    name: `SCIM ${query}`,
    ask: ofApi(`/scim/v2/acme/${query.replaceAll(' ', '%20')}`),
  });
  const cursor = (text: string) => Buffer.from(text).toString('base64url');
  const all: Asked[] = [
    ...apiRoutes
      .filter(({ method, path }) => method === 'GET' && !left.test(path))
      .map(({ path }) => ({ name: `API ${path}`, ask: ofApi(`/api/v1${fillIn(path)}`) })),
    ...[
      ...['/users?search=miller699', '/users?status=deactivated', '/users?limit=500', '/users?search=nobody'],
      `/users?cursor=${cursor('user090000@acme.test')}`,
    ].map((path) => ({ name: `API /orgs/{org}${path}`, ask: ofApi(`/api/v1/orgs/acme${path}`) })),
    ...[
      ...[
        'Users?count=100',
        'Users?count=500',
        `Users?startIndex=${Math.max(1, Math.ceil(users / 2) - 100)}&count=100`,
      ],
      `Users?filter=userName eq "${user.email}"`,
      'Users?filter=active eq false&count=100',
      `Users?filter=meta.lastModified gt "${new Date(now - 50).toISOString()}"`,
      `Users?filter=groups.value eq "7"&count=100`,
      ...['Groups?count=100', 'Groups?excludedAttributes=members', 'Groups?filter=displayName eq "Team 7"'],
      `Groups?filter=members.value eq "${user.id}"&excludedAttributes=members`,
      'Users?filter=displayName co "miller699"',
    ].map(scim),
    ...pages
      .filter(({ method, path }) => method === 'GET' && !left.test(path))
      .map(({ path }) => {
        const isOfOrg = path.startsWith('/orgs/{org}');
        return { name: `console ${path}`, ask: ofSite(fillIn(path), isOfOrg ? admin : owner) };
      }),
    { name: 'console /orgs/{org}/people?search', ask: ofSite('/orgs/acme/people?search=miller699', admin) },
  ];
  const rows: { name: string; status: number; processor: number; median: number; most: number }[] = [];
  for (const { name, ask } of all.filter((one) => one.name.includes(values.only))) {
    const times: number[] = [];
    let status = 0;
    let processor = 0;
    for (let run = 0; run <= runs; run++) {
      const [startedAt, used] = [performance.now(), process.cpuUsage()];
      const answer = await ask();
      await answer.arrayBuffer();
      const { user: inUser, system } = process.cpuUsage(used);
      // The first one fills caches.
      if (run > 0) {
        times.push(performance.now() - startedAt);
        processor += (inUser + system) / 1_000 / runs;
      }
      status = answer.status;
    }
    times.sort((a, b) => a - b);
    rows.push({ name, status, processor, median: times[Math.floor(times.length / 2)]!, most: times.at(-1)! });
  }
  rows.sort((a, b) => b.processor - a.processor);
  console.log(`| route | status | processor ms | median ms | most ms |\n| --- | --- | --- | --- | --- |`);
  for (const { name, status, processor, median, most } of rows)
    console.log(`| ${name} | ${status} | ${processor.toFixed(1)} | ${median.toFixed(1)} | ${most.toFixed(1)} |`);
  // Other programs may keep the processors busy: the processor time is that of an idle machine.
  const slow = rows.filter(({ processor }) => processor > limitMs);
  console.log(`${slow.length} of ${rows.length} over ${limitMs} ms`);
  await drops.close();
}
