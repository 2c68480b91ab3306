/**
 * Two transactions on one file, or on its folder, at the same moment on PostgreSQL: the first one is held right before its COMMIT until the
 * second one waits for it, or has ended. What both leave, and answer, must be as if one of them had begun after the other one's end.
 * Not `onBothDatabases`: SQLite has one writer.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Db, Queryable } from '../../db/connection.js';
import { ensureFolders } from '../../db/control/entries.js';
import { approveHeld, putAside, rejectHeld } from '../../db/control/holds.js';
import { insertOrg, type Org } from '../../db/control/orgs.js';
import { giveUpRun } from '../../db/control/requeue.js';
import { claimRun, endHeldRun, openManualRun, type Run } from '../../db/control/runs.js';
import { settleRun } from '../../db/control/settle.js';
import { lockUpload } from '../../db/control/uploads.js';
import { GroupCommit } from '../../intake/groupcommit.js';
import { publishUpload } from '../../intake/publish.js';
import { removeFile, renamePath } from '../../intake/treechanges.js';
import { keyIdsOf } from '../../keys/master/orgidentity.js';
import { requeueStoredFile } from '../../operations/retry.js';
import { destinationOf } from '../../storage/filename.js';
import { joinPath } from '../../storage/path.js';
import { openSpace } from '../../storage/space.js';
import { openFresh, type TestDatabases } from '../support/databases.js';
import { sender } from '../support/intake.js';
import { sampleOrg } from '../support/samples.js';
import { openScope } from '../support/temporary.js';

const now = Date.UTC(2026, 0, 31, 23, 30);
const date = '2026-02-01';

/** An organization with `/in/b/x.csv` and `/z.csv`; for some worlds the first folder has the name of files that are not finished. */
interface Site {
  org: Org;
  top: '/in' | '/in.tmp';
  run: Run | null;
  /** Of the file x. */
  upload: number;
}

/** @returns its answer */
type Step = (db: Db, site: Site) => Promise<string>;

const at = ({ top }: Site, name: string) => `${top}/b/${name}`;

async function close(db: Db, { org }: Site, path: string, content: string): Promise<number> {
  const blob = {
    id: `${content} of ${org.id}`,
    size: 1,
    sealedSize: 201,
    sha256: content,
    sealedTo: keyIdsOf(org)[0]!,
  };
  const attributes = { mode: 0o644, mtimeMs: now, atimeMs: now };
  const { receipt } = await new GroupCommit(db).run((tx) =>
    publishUpload(tx, {
      ...{ org, sender, path, blob, attributes, begunAt: now, closedAt: now, knows: null, noted: null, lease: null },
      ...{ isLeased: false, reclaim: async () => true, isWanted: () => true },
    }),
  );
  return receipt.uploadId;
}

const work = async (db: Db, change: (tx: Queryable) => Promise<unknown>) => {
  await new GroupCommit(db).run(change);
  return 'ok';
};

const rename =
  (fromTo: (site: Site) => { from: string; to: string }): Step =>
  (db, site) =>
    work(db, (tx) => renamePath(tx, site.org, sender, { ...fromTo(site), overwrite: true }, now));

const spaceOf = (control: Db, { org }: Site) =>
  openSpace({ control, paths: {} as never, settings: {} as never, org, identity: async () => '', now: () => now });

const asRun = (isDone: boolean) => (isDone ? 'ok' : 'has another importer, or ended');
const archived = (name: string) => `/archive/${date}/${name}`;
const hold = { at: now, today: date, digest: 'd' };

const steps: Record<string, Step> = {
  close: async (db, site) => `ok ${(await close(db, site, at(site, 'x.csv'), 'newer')) > 0}`,
  closeBeside: async (db, site) => `ok ${(await close(db, site, at(site, 'w.csv'), 'beside')) > 0}`,
  remove: (db, site) => work(db, (tx) => removeFile(tx, site.org, sender, at(site, 'x.csv'), now)),
  renameAway: rename((site) => ({ from: at(site, 'x.csv'), to: '/y.csv' })),
  renameOver: rename((site) => ({ from: '/z.csv', to: at(site, 'x.csv') })),
  renameFolder: rename(({ top }) => ({ from: top, to: '/out' })),
  mkdir: async (db, site) => String(await spaceOf(db, site).mkdir(at(site, 'n'), {})),
  rmdir: async (db, site) => String(await spaceOf(db, site).rmdir(`${site.top}/b`)),
  claim: async (db, { run }) => {
    const claimed = await claimRun(db.write, 'importer', now, 60_000, run!.id);
    return claimed === null ? 'nothing to claim' : 'claimed';
  },
  settle: async (db, { run, upload }) => {
    const uploads = [{ id: upload, state: 'imported' as const, archivedAs: archived('x.csv') }];
    return asRun((await settleRun(db, run!, { reports: [], uploads, summary: {} }, now)) !== null);
  },
  hold: async (db, { run }) => asRun(await putAside(db, run!, hold, { reports: [], summary: {} })),
  giveUp: async (db, { run }) => String(await giveUpRun(db, run!, 'it fails', now, date)),
  approve: async (db, { run }) => asRun(await approveHeld(db, run!, approval)),
  reject: async (db, { run, upload }) => {
    const settlement = { reports: [], summary: {} };
    const archivedAs = new Map([[upload, archived('x.csv')]]);
    const rejection = { by: 'ops', at: now, note: null, archivedAs, beside: new Map(), settlement };
    return asRun((await rejectHeld(db, run!, rejection)) !== null);
  },
  requeue: async (db, { org }) => {
    const workplace = { control: db, actor: 'ops', now: () => now, org: async () => org };
    return (await requeueStoredFile(workplace as never, org.id, archived('x.csv'))).path;
  },
};
const approval = { by: 'ops', at: now, until: now + 1, digest: 'd', note: null };

interface World {
  top: Site['top'];
  /** They have been done before. */
  after: string[];
  pairs: [string, string][];
}

const ofFile = ['close', 'remove', 'renameAway', 'renameFolder'];

/** Each of the first ones with each of the others, once. */
function cross(some: string[], others: string[]): [string, string][] {
  const all = some.flatMap((one) => others.map((other) => [one, other].sort() as [string, string]));
  return [...new Map(all.map((pair) => [pair.join(), pair])).values()];
}

const queued = ['claim', 'renameOver', ...ofFile];
const worlds: Record<string, World> = {
  queued: {
    top: '/in',
    after: [],
    pairs: [...cross(queued, queued), ...cross(['mkdir', 'renameFolder'], ['mkdir', 'closeBeside'])],
  },
  'stored for its folder': { top: '/in.tmp', after: [], pairs: cross(['renameFolder'], [...ofFile, 'closeBeside']) },
  running: { top: '/in', after: ['claim'], pairs: ofRun('settle', 'hold', 'giveUp') },
  held: { top: '/in', after: ['claim', 'hold'], pairs: ofRun('approve', 'reject') },
  approved: { top: '/in', after: ['claim', 'hold', 'approve'], pairs: ofRun('claim', 'reject') },
  archived: {
    top: '/in',
    after: ['claim', 'settle'],
    pairs: [
      ...cross(['requeue'], ['close', 'renameOver', 'renameFolder', 'rmdir', 'requeue']),
      ...cross(['rmdir'], ['closeBeside', 'mkdir', 'rmdir', 'renameFolder']),
    ],
  },
};

function ofRun(...done: string[]): [string, string][] {
  return cross(done, [...ofFile, ...done]);
}

/** As many sites of a world as are asked for: one is made, and its rows are copied under other ids, which costs less. */
async function build(db: Db, { top, after: done }: World, name: string, count: number): Promise<() => Site> {
  const org = sampleOrg(name);
  await insertOrg(db.write, org);
  const site: Site = { org, top, run: null, upload: 0 };
  await db.transact((tx) => ensureFolders(tx, org.id, `${top}/b`, now));
  site.upload = await close(db, site, at(site, 'x.csv'), 'older');
  await close(db, site, '/z.csv', 'other');
  const id = await openManualRun(db.write, org.id, now);
  site.run = { id, org: org.id, leaseOwner: 'importer', hold: null } as Run;
  for (const step of done) await steps[step]!(db, site);
  for (const [table, { texts, numbers }] of Object.entries(copied)) {
    const values = [
      ...texts.map((column) => `'${column}', one.${column} || n`),
      ...numbers.map((column) => `'${column}', one.${column} + n * ${apart}`),
    ];
    const copy = `jsonb_populate_record(one, jsonb_build_object(${values.join(', ')}))`;
    await db.write.raw(
      `INSERT INTO ${table} SELECT (${copy}).* FROM ${table} one, generate_series(1, ?) n WHERE one.${texts[0]} = ?`,
      [count, name],
    );
  }
  let taken = 0;
  return () => {
    taken++;
    const copy = { ...org, id: `${name}${taken}` };
    const run = { ...site.run!, id: id + taken * apart, org: copy.id };
    return { org: copy, top, run, upload: site.upload + taken * apart };
  };
}

const apart = 1_000_000;
/** The columns that differ, of each table; the first one is the organization. */
const copied = {
  orgs: { texts: ['id'], numbers: [] },
  blobs: { texts: ['org_id', 'id'], numbers: [] },
  runs: { texts: ['org_id'], numbers: ['id'] },
  uploads: { texts: ['org_id', 'blob_id'], numbers: ['id', 'run_id'] },
  entries: { texts: ['org_id', 'blob_id'], numbers: ['id', 'upload_id'] },
  moved_names: { texts: ['org_id'], numbers: ['id', 'upload_id'] },
  import_turns: { texts: ['org_id'], numbers: [] },
};

/** Its answer, or the code of its error. */
function answer(step: string, db: Db, site: Site): Promise<string> {
  return steps[step]!(db, site).catch((error) => (error.code === undefined ? String(error) : `refused: ${error.code}`));
}

type Change<T> = (tx: Knex.Transaction) => Promise<T>;

/** As `db`; each transaction waits right before its COMMIT. */
function heldBack(db: Db, wait: () => Promise<void>): Db {
  const waiting =
    <T>(change: Change<T>): Change<T> =>
    async (tx) => {
      const result = await change(tx);
      await wait();
      return result;
    };
  const transaction = <T>(change: Change<T>) => db.write.transaction(waiting(change));
  const write = new Proxy(db.write, {
    get: (target, key) => (key === 'transaction' ? transaction : Reflect.get(target, key)),
  });
  return { ...db, write, transact: (change, options) => db.transact(waiting(change), options) };
}

async function isLocked({ read }: Db): Promise<boolean> {
  const waiting = read('pg_stat_activity').whereRaw('datname = current_database()').where({ wait_event_type: 'Lock' });
  return (await waiting.first('pid')) !== undefined;
}

/** `first` is held before its COMMIT until `second` waits for it, or has ended; their answers. */
async function overlap(db: Db, first: (db: Db) => Promise<string>, second: () => Promise<string>): Promise<string[]> {
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  let reach = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const wait = () => {
    reach();
    return gate;
  };
  const one = first(heldBack(db, wait));
  await Promise.race([reached, one]);
  let isDone = false;
  const two = second().finally(() => {
    isDone = true;
  });
  while (!isDone && !(await isLocked(db))) await sleep(1);
  go();
  return [await one, await two];
}

/** What they answered and left. */
async function describeAll(
  db: Db,
  site: Site,
  world: World,
  order: readonly string[],
  answers: readonly string[],
): Promise<string> {
  const said = order.map((step, index) => `${step}: ${answers[index]}`).sort();
  const left = await describeSite(db, site, world).catch((error: Error) => `${order}: ${error.message}`);
  return [...said, left].join('\n');
}

/** What clients and operators see of it, without ids. */
async function describeSite({ read }: Db, { org }: Site, world: World): Promise<string> {
  const of = { org_id: org.id };
  const contents = new Map((await read('blobs').where(of)).map(({ id, sha256 }) => [id, sha256]));
  const entries = await read('entries').where(of).orderBy('id');
  const uploads = await read('uploads').where(of).orderBy('id');
  const runs = new Map((await read('runs').where(of)).map(({ id, kind, state }) => [id, `${kind} ${state}`]));
  const moved = await read('moved_names')
    .where({ 'moved_names.org_id': org.id })
    .join('uploads', 'uploads.id', 'upload_id');
  requireWhole(entries, uploads, world);
  const lines = [
    ...entries.map(
      ({ dir, name, kind, blob_id: blob }) => `${kind} ${joinPath(dir, name)} ${contents.get(blob) ?? ''}`,
    ),
    ...uploads.map(
      (one) =>
        `upload ${contents.get(one.blob_id)} ${one.path} ${one.state} ${one.archived_as} ${runs.get(one.run_id) ?? ''}`,
    ),
    ...[...runs.values()].map((run) => `run ${run}`),
    ...moved.map(({ dir, name, blob_id: blob }) => `moved ${joinPath(dir, name)} ${contents.get(blob)}`),
  ];
  return lines.sort().join('\n');
}

// biome-ignore lint/suspicious/noExplicitAny: rows of the tables
function requireWhole(entries: readonly any[], uploads: readonly any[], world: World): void {
  const folders = new Set(entries.filter(({ kind }) => kind === 'dir').map(({ dir, name }) => joinPath(dir, name)));
  for (const { dir, name } of entries) assert.ok(dir === '/' || folders.has(dir), `${dir}/${name} is in no folder`);
  for (const { id, state, path, archived_as: archive } of uploads) {
    const paths = entries.filter(({ upload_id: of }) => of === id).map(({ dir, name }) => joinPath(dir, name));
    // A file that a run is importing keeps the path that it was imported from, and remains with the run when its name is removed.
    const isKept = world !== worlds.running;
    if (isKept && ['stored', 'queued', 'held'].includes(state)) assert.deepEqual(paths, [path], `${path} is ${state}`);
    if (isKept && ['stored', 'queued'].includes(state)) assert.equal(state, destinationOf(path, {}), path);
    if (['imported', 'refused', 'superseded'].includes(state))
      assert.deepEqual(paths, [archive], `${path} is ${state}`);
    assert.ok(paths.length <= 1, `${path} is named twice`);
  }
}

describe('pairs of transactions (postgres)', () => {
  const scope = openScope();
  let databases: TestDatabases;
  before(async () => {
    databases = await openFresh(scope, 'postgres');
  });
  after(() => scope.close());
  for (const [name, world] of Object.entries(worlds))
    test(`a file that is ${name}`, async () => {
      const { control } = databases;
      const wrong: string[] = [];
      const next = await build(control, world, name.replaceAll(' ', '-'), 4 * world.pairs.length);
      for (const pair of world.pairs) {
        const turns: string[] = [];
        for (const order of [pair, pair.toReversed() as typeof pair]) {
          const site = next();
          const answers = [await answer(order[0], control, site), await answer(order[1], control, site)];
          turns.push(await describeAll(control, site, world, order, answers));
        }
        for (const order of [pair, pair.toReversed() as typeof pair]) {
          const site = next();
          const [first, second] = order;
          const answers = await overlap(
            control,
            (db) => answer(first, db, site),
            () => answer(second, control, site),
          );
          const both = await describeAll(control, site, world, order, answers);
          if (!turns.includes(both))
            wrong.push([`${first}, then ${second}`, both, 'in turn', turns[0], 'or', turns[1]].join('\n'));
        }
      }
      assert.equal(wrong.length, 0, wrong.join('\n\n'));
    });

  test('an import that is asked for while a run is claimed without a file that came just now gets another run', async () => {
    const { control } = databases;
    const site = (await build(control, worlds.queued!, 'asked', 1))();
    // With a file the claim would record an event, and the CLOSE wait for that one's COMMIT.
    await control.write('uploads').where({ org_id: site.org.id }).update({ state: 'withdrawn' });
    await control.write('runs').where({ id: site.run!.id }).update({ kind: 'slot' });
    const ask = async () => {
      await close(control, site, at(site, 'w.csv'), 'beside');
      return String((await openManualRun(control.write, site.org.id, now)) === site.run!.id);
    };
    assert.deepEqual(await overlap(control, (db) => answer('claim', db, site), ask), ['claimed', 'false']);
  });

  test('a claim that is in the way of a file that is being replaced is made later', async () => {
    const { control } = databases;
    const site = (await build(control, worlds.approved!, 'replaced', 1))();
    await control.transact(async (tx) => {
      // PostgreSQL ends the other one, whose patience is over first.
      await tx.raw("SET LOCAL deadlock_timeout = '1min'");
      await lockUpload(tx, site.upload);
      const claim = answer('claim', control, site);
      while (!(await isLocked(control))) await sleep(1);
      const end = endHeldRun(tx, site.run!.id, 'superseded', now);
      assert.equal(await claim, 'nothing to claim');
      assert.equal(await end, true);
    });
  });
});
