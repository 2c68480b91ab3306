/**
 * The importer against the model of its rules, on random histories of files and days. TEST_RUNS asks for more of them
 * (TEST_TIMEOUT_MS=0 gives them the time), TEST_SEED for those of a run that failed, or `random` for new ones.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRun } from '../../../db/control/runs.js';
import { deactivateDue } from '../../../db/directory/deactivations.js';
import { listFields } from '../../../db/directory/fields.js';
import { listTeams } from '../../../db/directory/teams.js';
import { listUsers } from '../../../db/directory/users.js';
import { approveRun } from '../../../importer/run/approval.js';
import { workNext } from '../../../importer/run/worker.js';
import type { Counts, RunSummary } from '../../../importer/types.js';
import { exportTeams, exportUsers } from '../../../operations/export.js';
import type { Workplace } from '../../../operations/workplace.js';
import { Company } from '../../support/company.js';
import { onBothInLongTests, shareDatabases } from '../../support/databases.js';
import { fc, seed } from '../../support/properties.js';
import { keyOf, Model, type ModelCounts, type ModelFile, type ModelWeight, nameKeyOf } from '../model.js';
import { clearToken, firstImport, type History, history, mixedSheets, render } from '../sheets.js';

const numRuns = Number(process.env.TEST_RUNS ?? 15);
const fewer = Math.ceil(numRuns / 3);
/** The same cases each time, unless others are asked for. */
const owner = 'owner@x.test';
const dayMs = 86_400_000;
const memoryMs = 20 * 3_600_000;
/** Limits that no history meets. */
const generous = { maxDeactivations: '100%', maxAdminChanges: 1000, maxUpdatedShare: 1, maxReactivations: '1000' };

onBothInLongTests('importer and model', (open) => {
  const databases = shareDatabases(open);
  let companies = 0;
  const found = async ({ replacesTeams, dateFormat, isIdentified, createMissing, clears, guard }: History) => {
    const company = await Company.join(databases(), {
      id: `acme-${companies++}`,
      ownerEmail: owner,
      timeZone: 'Asia/Kolkata',
      teamsMode: replacesTeams ? 'replace' : 'add',
      dateFormat,
      options: {
        ...(isIdentified ? { identifier: 'Staff No' } : {}),
        ...(createMissing === 'yes' ? {} : { createMissing }),
        ...(clears ? { clearToken } : {}),
        ...generous,
        ...guard,
      },
    });
    company.clock = firstImport;
    return company;
  };

  test(`agree on every history (seed ${seed}, ${numRuns} runs)`, async (t) => {
    t.diagnostic(`TEST_SEED=${seed} TEST_RUNS=${numRuns}`);
    const agree = async (course: History) => {
      const company = await found(course);
      const identifier = course.isIdentified ? 'Staff No' : null;
      const model = new Model(
        owner,
        course.replacesTeams,
        course.dateFormat,
        identifier,
        course.createMissing,
        course.clears ? clearToken : null,
      );
      const weights: (ModelWeight & { at: number })[] = [];
      for (const { files, days, isPunctual } of course.steps) {
        company.clock += days * dayMs;
        if (isPunctual) {
          await deactivateDue(databases().directory, company.clock);
          model.passTime(company.clock);
        }
        const planned = company.clock;
        let summary = await send(company, files);
        const weight = model.weigh(files, planned);
        const recent = weights.filter(({ at }) => at > planned - memoryMs);
        const isHeld = isTooMuch(weight, recent, course);
        if (!isHeld) weights.push({ ...weight, at: planned });
        assert.equal(summary.state, isHeld ? 'held' : 'applied');
        if (isHeld) {
          assert.deepEqual(await readDirectory(company), describeModel(model), 'nothing is applied yet');
          company.clock += approvalMs;
          summary = await approve(company, summary.run!);
        }
        const expected = model.import(files, company.clock, planned);
        const outcomes = [];
        for (const [place, { name }] of summary.files.entries()) {
          outcomes.push({ name, codes: (await company.codes(summary, place)).sort() });
        }
        assert.deepEqual(outcomes, expected.outcomes);
        assert.deepEqual(await readDirectory(company), describeModel(model));
        assert.deepEqual(countsOf(summary.users), expected.users, 'counts of users');
        assert.deepEqual(countsOf(summary.teams), expected.teams, 'counts of teams');
      }
    };
    await fc.assert(fc.asyncProperty(history, agree), { seed, numRuns, includeErrorInReport: true });
  });

  test('R2: the last file of a history again, and what exports say, plan nothing', async () => {
    const repeat = async (course: History) => {
      const createMissing = course.createMissing === 'hold' ? 'yes' : course.createMissing;
      const company = await found({ ...course, createMissing, guard: null });
      const last = course.steps.at(-1)!.files[0]!;
      for (const { files } of course.steps.slice(0, -1)) await send(company, files);
      await send(company, [last]);
      const [directory, changes] = [await readDirectory(company), await countChanges(company)];
      const { org } = company;
      const place = { directory: databases().directory, org: async () => org } as unknown as Workplace;
      const exported = {
        'users.csv': await joined(exportUsers(place, org.id)),
        'teams.csv': await joined(exportTeams(place, org.id)),
      };
      for (const files of [{ [last.name]: render(last) }, exported]) {
        const { users, teams } = await company.import(files);
        for (const { created, updated, deactivated, scheduled, stubs } of [users, teams])
          assert.deepEqual({ created, updated, deactivated, scheduled, stubs }, nothing);
        assert.equal(await countChanges(company), changes);
        assert.deepEqual(await readDirectory(company), directory);
      }
    };
    await fc.assert(fc.asyncProperty(history, repeat), { seed, numRuns: fewer, includeErrorInReport: true });
  });

  test('the order of rows, and rejected rows among them, change nothing', async () => {
    const shuffle = async ([rows, mixed]: [Pair, Pair]) => {
      const course: History = {
        ...{
          replacesTeams: false,
          dateFormat: 'auto',
          isIdentified: false,
          createMissing: 'yes',
          clears: false,
          guard: null,
          steps: [],
        },
      };
      const [plain, shuffled] = [await found(course), await found(course)];
      await send(plain, [{ name: 'users.csv', ...rows }]);
      await send(shuffled, [{ name: 'users.csv', ...mixed }]);
      assert.deepEqual(await readDirectory(shuffled), await readDirectory(plain));
    };
    await fc.assert(fc.asyncProperty(mixedSheets, shuffle), { seed, numRuns: fewer, includeErrorInReport: true });
  });

  async function countChanges({ org }: Company): Promise<number> {
    return (await databases().directory.read('changes').where({ org_id: org.id })).length;
  }
});

/** @param recent the runs of the last 20 hours that were applied without an approval. */
function isTooMuch(weight: ModelWeight, recent: readonly ModelWeight[], { guard, createMissing }: History): boolean {
  if (weight.owners > 0 || (createMissing === 'hold' && weight.madeUp > 0)) return true;
  if (guard === null) return false;
  const isOver = (what: 'deactivations' | 'adminChanges', limit: number) =>
    weight[what] > 0 && recent.reduce((sum, one) => sum + one[what], weight[what]) > limit;
  return isOver('deactivations', Number(guard.maxDeactivations)) || isOver('adminChanges', guard.maxAdminChanges);
}

/** Until an operator approves: it may be the next day. */
const approvalMs = 23 * 3_600_000;

async function approve(company: Company, id: number): Promise<RunSummary> {
  const { deps } = company;
  const held = (await findRun(deps.control.read, id))!;
  assert.ok(await approveRun(deps, held, { by: 'operator:test', note: 'as it should be' }));
  assert.equal(await workNext(deps, id), 'ended');
  return (await findRun(deps.control.read, id))!.summary as RunSummary;
}

type Pair = Pick<ModelFile, 'header' | 'rows'>;

const nothing = { created: 0, updated: 0, deactivated: 0, scheduled: 0, stubs: 0 };

function send(company: Company, files: readonly ModelFile[]) {
  return company.import(Object.fromEntries(files.map((file) => [file.name, render(file)])));
}

async function joined(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

function countsOf({ refused, ...counts }: Counts): ModelCounts {
  assert.equal(refused, 0);
  return counts;
}

/** All that files can say of an organization, by compared forms. */
async function readDirectory({ org, deps }: Company) {
  const db = deps.directory.read;
  const fields = new Map((await listFields(db, org.id)).map((field) => [field.id, field]));
  const users = (await listUsers(db, org.id, { after: null, limit: 1000 })).map((user) => ({
    email: user.email,
    userName: user.userName,
    firstName: user.firstName,
    lastName: user.lastName,
    manager: user.managerEmail === null ? null : keyOf(user.managerEmail),
    teams: user.teams.map(nameKeyOf).sort(),
    accountType: user.accountType,
    isAdmin: user.isAdmin,
    status: user.status,
    date: user.deactivationDate,
    deactivateAt: user.deactivateAt,
    custom: sortEntries(Object.entries(user.custom).map(([id, value]) => [fields.get(id)!.label, value])),
  }));
  const teams = (await listTeams(db, org.id, null, 1000)).map((team) => ({
    name: team.name,
    owner: team.ownerEmail === null ? null : keyOf(team.ownerEmail),
    parent: team.parentName === null ? null : nameKeyOf(team.parentName),
    type: team.type,
  }));
  const labels = sortEntries([...fields.values()].map(({ label, type }) => [label, type]));
  return { users: sortBy(users, 'email'), teams: sortBy(teams, 'name'), fields: labels };
}

function describeModel({ users, teams, fields }: Model): Awaited<ReturnType<typeof readDirectory>> {
  return {
    users: sortBy(
      [...users.values()].map((user) => ({
        ...user,
        teams: [...user.teams].sort(),
        custom: sortEntries([...user.custom]),
      })),
      'email',
    ),
    teams: sortBy([...teams.values()], 'name'),
    fields: sortEntries([...fields.values()].map(({ label, type }) => [label, type])),
  };
}

function sortBy<K extends string, T extends { [key in K]: string }>(values: T[], by: K): T[] {
  return values.sort((a, b) => (a[by] < b[by] ? -1 : 1));
}

function sortEntries(entries: [string, string][]): [string, string][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
