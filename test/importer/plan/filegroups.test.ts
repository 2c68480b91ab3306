/**
 * Small files that are planned together, against the same files planned one by one: both must leave the same directory, history,
 * reports and known rows. TEST_RUNS asks for more cases, TEST_SEED for those of a run that failed, or `random` for new ones.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Org } from '../../../db/control/orgs.js';
import { findRun, openManualRun } from '../../../db/control/runs.js';
import { workNext } from '../../../importer/run/worker.js';
import type { RunSummary } from '../../../importer/types.js';
import { Company, csv, importMoment } from '../../support/company.js';
import { onBothInLongTests, shareDatabases } from '../../support/databases.js';
import { fc, seedOr } from '../../support/properties.js';

const numRuns = Number(process.env.TEST_RUNS ?? 4);
// The first case, the only one on PostgreSQL, has no option that plans each file by itself.
const seed = seedOr(20261146);
const dayMs = 86_400_000;

/** By name, in the order in which they are sent. */
type Files = [name: string, content: string | Buffer][];

const person = fc.integer({ min: 0, max: 160 }).map((number) => `u${number}@x.test`);
const rarely = (value: fc.Arbitrary<string>, often: fc.Arbitrary<string>, weight = 12) =>
  fc.oneof({ weight, arbitrary: often }, { weight: 1, arbitrary: value });
const name = fc.constantFrom('Ann', 'Bob', 'Mia', '');
const date = fc.constantFrom('', '', '2026-03-11', '2026-12-31', '2020-01-31', '12/31/9999');
const admin = rarely(fc.constantFrom('Yes', 'maybe'), fc.constantFrom('No', 'No', ''), 6);
const key = rarely(fc.constantFrom('', 'nobody', 'tom@acme', 'owner@x.test', 'U3@x.test'), person, 25);
const manager = rarely(fc.constantFrom('bad', 'pat@acme', 'owner@x.test'), fc.oneof(person, fc.constant('')), 15);

/** Headers that many files share, each with the cells of a row. */
const forms: [header: string, row: fc.Arbitrary<string[]>][] = [
  ['User Email,User Name', fc.tuple(key, name)],
  ['User Email,User Name,Manager,Manager Email', fc.tuple(key, name, name, manager)],
  ['User Email,First Name,Teams', fc.tuple(key, name, fc.constantFrom('', 'Sales', '"Ops,Sales"', 'Law'))],
  ['User Email,Is Org Admin,Deactivation Date', fc.tuple(key, admin, date)],
  [
    'User Email,Office,Remote',
    fc.tuple(key, fc.constantFrom('Rome', '', '007'), rarely(fc.constant('often'), fc.constantFrom('Yes', 'No', ''))),
  ],
];
const odd = fc.constantFrom(
  ...['Team Name,Owner Email\nOps,u1@x.test\n', 'Team Name,Parent Team\nLaw,Ops\n', 'Name\nAnn\n', 'User Email\n', ''],
  ...[
    'User Email,Manager Emial\nu2@x.test,u3@x.test\n',
    'User Email,Status\nu4@x.test,active\n',
    'User Email\n"u5@x.test\n',
  ],
  ...[
    'User Email,Team Name\nu6@x.test,Ops\n',
    'User Email;User Name\nu7@x.test;Eve\n',
    'User Email,Badge\nu8@x.test,12\n',
  ],
);
const sound = (of: number) =>
  fc
    .array(forms[of]![1], { minLength: 1, maxLength: 3 })
    .map((rows) => csv(forms[of]![0], ...rows.map((cells) => cells.join())));
/** Several files of one form in a row, with an odd one now and then. */
const stretch = fc.integer({ min: 0, max: forms.length - 1 }).chain((of) =>
  fc.array(fc.oneof({ weight: 14, arbitrary: sound(of) }, { weight: 1, arbitrary: odd }), {
    minLength: 5,
    maxLength: 9,
  }),
);
const sending = fc
  .array(stretch, { minLength: 3, maxLength: 3 })
  .map(
    (stretches): Files => stretches.flat().map((content, index) => [`f${String(index).padStart(3, '0')}.csv`, content]),
  )
  .map((files): Files => [...files, ...fill(17 - files.length)]);
const options = fc.constantFrom<Org['options']>(
  {},
  {},
  {},
  {},
  {},
  {},
  { createMissing: 'hold' },
  { createMissing: 'no' },
  { identifier: 'Office' },
  { omission: 'deactivate-after:1' },
);
const history = fc.record({
  options,
  teamsMode: fc.constantFrom<Org['teamsMode']>('add', 'replace'),
  sendings: fc.array(sending, { minLength: 2, maxLength: 2 }),
  repeats: fc.boolean(),
});

/** Fewer files are planned one by one. */
function fill(count: number): Files {
  return Array.from({ length: Math.max(count, 0) }, (_, index) => [
    `z${index}.csv`,
    csv('User Email', `z${index}@x.test`),
  ]);
}

onBothInLongTests('files planned together', (open) => {
  const databases = shareDatabases(open);
  let companies = 0;
  const found = (change: Partial<Org> = {}) =>
    Company.join(databases(), { id: `acme-${companies++}`, ownerEmail: 'owner@x.test', ...change });

  test(`are planned as one by one (seed ${seed}, ${numRuns} runs)`, async (t: TestContext) => {
    let groups = 0;
    const isSame = async (given: typeof history extends fc.Arbitrary<infer T> ? T : never) => {
      const change = {
        teamsMode: given.teamsMode,
        options: {
          maxDeactivations: '100%',
          maxAdminChanges: 1000,
          maxUpdatedShare: 1,
          maxReactivations: '1000',
          ...given.options,
        },
      } as Partial<Org>;
      const [together, alone] = [await found(change), await found(change)];
      const [first, second] = given.sendings;
      // The same files once more, with some others: most of their rows are known then.
      const runs = given.repeats
        ? [first!, [...second!.slice(0, 5).map(([old, content]): Files[number] => [`a${old}`, content]), ...first!]]
        : [first!, second!];
      for (const [day, files] of runs.entries()) {
        const both = [];
        for (const company of [together, alone]) {
          company.clock = importMoment + day * dayMs;
          const told = await send(company, files, company === alone);
          if (company === together) groups += told.groups;
          both.push(await describe(company, told.summary));
        }
        assert.deepEqual(both[0], both[1]);
      }
    };
    // Many statements cost more on PostgreSQL.
    const runs = databases().directory.dialect === 'sqlite' ? numRuns : Math.ceil(numRuns / 2);
    await fc.assert(fc.asyncProperty(history, isSame), { numRuns: runs, seed, endOnFailure: true });
    t.diagnostic(`TEST_SEED=${seed} TEST_RUNS=${numRuns}: ${groups} groups`);
    assert.ok(groups > 0);
  });

  test('a file that is refused, or has a fault, is the only one that is not in a group', async () => {
    const company = await found();
    const files: Files = Array.from({ length: 40 }, (_, index) => [
      `f${String(index).padStart(2, '0')}.csv`,
      index === 11
        ? csv('Name', 'Ann')
        : index === 23
          ? csv('User Email', 'nobody')
          : csv('User Email', `u${index}@x.test`),
    ]);
    const { summary, groups } = await send(company, files, false);
    assert.equal(groups, 3);
    assert.deepEqual(
      summary.files.filter(({ state }) => state === 'refused').map(({ name }) => name),
      ['f11.csv'],
    );
    assert.equal(summary.users.created, 38);
    assert.equal(summary.users.faults, 1);
    assert.deepEqual(await company.codes(summary, 23), ['email_invalid@2']);
  });

  /** Files of one form that are planned one half after the other, because one of them names an unsound address. */
  const halved = (rows: Record<number, string[]>): Files =>
    Array.from({ length: 20 }, (_, index) => [
      `f${String(index).padStart(2, '0')}.csv`,
      csv('User Email,User Name', ...(index === 4 ? ['tom@acme,Tom'] : (rows[index] ?? [`u${index}@x.test,U`]))),
    ]);

  for (const [title, first, rows] of [
    ['the next group', [], { 3: ['a@x.test,One'], 8: ['a@x.test,Two'] }],
    ['the same group', ['a@x.test,One'], { 3: ['a@x.test,One', 'b@x.test,B'], 7: ['a@x.test,Two'] }],
  ] satisfies [string, string[], Record<number, string[]>][])
    test(`a value that a file of ${title} replaces is imported when it is sent again`, async () => {
      const company = await found();
      if (first.length > 0) await company.import({ 'first.csv': csv('User Email,User Name', ...first) });
      const { groups } = await send(company, halved(rows), false);
      assert.ok(groups > 1);
      assert.equal((await company.users())['a@x.test']!.user_name, 'Two');
      await company.import({ 'last.csv': csv('User Email,User Name', 'a@x.test,One') });
      assert.equal((await company.users())['a@x.test']!.user_name, 'One');
    });

  test('a packed file that unpacks to a large one is planned by itself', async () => {
    const company = await found();
    const rows = Array.from({ length: 950 }, (_, index) => `p${index}${'n'.repeat(60)}@x.test`);
    const packed = gzipSync(csv('User Email', ...rows));
    assert.ok(packed.length < 64 * 1024);
    const files: Files = fill(20).map(([name, content], index) =>
      index === 10 ? ['z9.csv.gz', packed] : [name, content],
    );
    const { summary, groups } = await send(company, files, false);
    assert.equal(groups, 2);
    assert.equal(summary.users.created, 969);
  });

  test('a ring that two files make together is broken in the second one', async () => {
    const company = await found();
    const header = 'User Email,Manager Email';
    const files: Files = [
      ...fill(20).map(([name, content]): Files[number] => [
        name,
        String(content)
          .replace('\n', ',Manager Email\n')
          .replace(/test\n/, 'test,\n'),
      ]),
    ];
    files[8] = ['z8.csv', csv(header, 'a@x.test,b@x.test')];
    files[13] = ['z9a.csv', csv(header, 'b@x.test,a@x.test')];
    const { summary } = await send(company, files, false);
    const users = await company.users();
    assert.equal(users['a@x.test']!.manager, 'b@x.test');
    assert.equal(users['b@x.test']!.manager, null);
    assert.deepEqual(await company.codes(summary, 13), ['manager_ring@2']);
  });
});

/** @param isAlone as after an importer was lost: each file is planned by itself */
async function send(
  company: Company,
  files: Files,
  isAlone: boolean,
): Promise<{ summary: RunSummary; groups: number }> {
  const { control } = company.deps;
  for (const [name, content] of files) await company.drop(`/${name}`, content);
  const id = await openManualRun(control.write, company.org.id, company.clock);
  if (isAlone) await control.write('runs').where({ id }).update({ attempts: 1 });
  let groups = 0;
  let isPlanned = false;
  const result = await workNext(
    {
      ...company.deps,
      // No file is read while a group is planned.
      onFile: (upload) => {
        if (upload === null && !isPlanned) groups++;
      },
      onStep: (step) => {
        isPlanned ||= step === 'planned';
      },
    },
    id,
  );
  assert.equal(result, 'ended');
  const run = (await findRun(control.read, id))!;
  if (isAlone) assert.equal(groups, 0);
  if (run.state === 'held') await control.write('runs').where({ id }).update({ state: 'rejected' });
  return { summary: run.summary as RunSummary, groups };
}

/** Everything that an import leaves, without numbers and times that differ between two organizations. */
async function describe(company: Company, summary: RunSummary | null) {
  const { directory, control } = company.deps;
  const org = company.org.id;
  const fields = await directory.read('fields').where({ org_id: org }).orderBy('position');
  const labels = new Map(fields.map(({ id, label }) => [id, label]));
  const people = await directory.read('users').where({ org_id: org }).orderBy('id');
  const teams = await directory.read('teams').where({ org_id: org }).orderBy('id');
  const nameOf = new Map<string, string>([
    ...people.map(({ id, email }): [string, string] => [`user ${id}`, email]),
    ...teams.map(({ id, name }): [string, string] => [`team ${id}`, name]),
    ...fields.map(({ id, label }): [string, string] => [`field ${id}`, label]),
  ]);
  const uploads = await control.read('uploads').where({ org_id: org }).orderBy('id');
  const pathOf = new Map(uploads.map(({ id, path, run_id }) => [id, `${path} ${run_id === null}`]));
  const withLabels = (text: string | null) =>
    text === null ? null : [...labels].reduce((all, [id, label]) => all.replaceAll(id, label), text);
  const history = await directory.read('changes').where({ org_id: org }).orderBy('id');
  const pieces: Buffer[] = await directory.read('known_rows').where({ org_id: org }).orderBy('piece').pluck('digests');
  const reports = [];
  for (const file of summary?.files ?? [])
    for (const path of [file.report, file.rejected]) reports.push(path === null ? null : await company.read(path));
  return {
    files: summary?.files.map(({ uploadId: _upload, ...file }) => file),
    counts:
      summary === null
        ? null
        : { users: summary.users, teams: summary.teams, state: summary.state, hold: summary.hold },
    reports,
    fields: fields.map(({ label, type, position }) => ({ label, type, position })),
    order: [people.map(({ email }) => email), teams.map(({ name }) => name)],
    users: Object.fromEntries(
      Object.entries(await company.users()).map(([email, { id: _id, org_id: _org, manager_id: _manager, ...user }]) => [
        email,
        user,
      ]),
    ),
    // Values of custom fields stand in the order of the fields' random ids.
    history: history
      .map(({ upload_id, line, entity, entity_id, field, before, after }) => ({
        ...{ file: pathOf.get(upload_id), line, entity, of: nameOf.get(`${entity} ${entity_id}`) },
        ...{ field: labels.get(field) ?? field, before: withLabels(before), after: sorted(withLabels(after)) },
      }))
      .sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1)),
    uploads: uploads.map(({ path, state, archived_as, type, rows }) => ({ path, state, archived_as, type, rows })),
    known: Buffer.concat(pieces).toString('hex'),
  };
}

/** An object with its values by their names, as JSON has it; any other text as it is. */
function sorted(text: string | null): unknown {
  return text?.startsWith('{') === true ? JSON.parse(text) : text;
}
