/**
 * Files that are staged in the reading that surveys them, against the same files read twice: the stage, the report, the fields and the
 * known rows must be the same. ONE_READING_RUNS asks for more cases.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settings } from '../../../config/settings.js';
import type { Org } from '../../../db/control/orgs.js';
import type { Field } from '../../../db/directory/fields.js';
import type { Stage } from '../../../db/stage.js';
import { rows } from '../../../db/stagesql.js';
import { withTrialStage } from '../../../importer/check/trialplan.js';
import type { PlanInput } from '../../../importer/plan/input.js';
import { planFiles } from '../../../importer/plan/plan.js';
import { readAs } from '../../../importer/read/encoding.js';
import type { Source } from '../../../importer/read/source.js';
import { listIssues } from '../../../importer/report/findings.js';
import { readKnown } from '../../../importer/run/directorystate.js';
import { Company, csv } from '../../support/company.js';
import { onBothInLongTests, shareDatabases } from '../../support/databases.js';
import { fc } from '../../support/properties.js';

const numRuns = Number(process.env.ONE_READING_RUNS ?? 60);

interface Sent {
  bytes: Buffer;
  /** The source gives so many bytes at once. */
  pieceBytes: number;
}

/** The file, and how often it was opened. */
function sourceOf({ bytes, pieceBytes }: Sent): Source & { opened: number } {
  const source = {
    name: 'users.csv',
    bytes: bytes.length,
    sha256: '',
    opened: 0,
    open: async function* () {
      source.opened++;
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    },
  };
  return source;
}

const address = fc.constantFrom(
  ...['ann@x.test', 'Bob@x.test', 'bob@x.test', 'mia@x.test', 'tom@x.test', 'owner@x.test', 'jürgen@x.test'],
  ...['', 'nobody', 'pat@acme'],
);
const mostly = (often: fc.Arbitrary<string>, rarely: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 9, arbitrary: often }, { weight: 1, arbitrary: rarely });
const odd = fc.constantFrom('often', 'N/A', '13/02/2026', '02/13/2026', '2026-02-30', '46000', "'=1", '"a,b"');
const flag = mostly(fc.constantFrom('Yes', 'no', ''), odd);
const day = mostly(
  fc.constantFrom('2026-04-01', '2020-01-31', '', '9999-12-31'),
  fc.oneof(odd, fc.constant('1/2/2026')),
);
const word = mostly(fc.constantFrom('Rome', '', '', '007'), odd);
const blank = mostly(fc.constant(''), odd);

/** Labels of a column, each with its values. */
const columns: [label: string, value: fc.Arbitrary<string>][] = [
  ['User Name', fc.constantFrom('Ann', ' Bob  B ', '')],
  ['Manager Email', address],
  ['Teams', fc.constantFrom('Sales', '"Ops, Sales"', '', '"open')],
  ['Is Org Admin', flag],
  ['Deactivation Date', day],
  ['Status', fc.constantFrom('active', 'left', '')],
  ['Office', word],
  ['Remote', flag],
  ['Since', day],
  ['Until', day],
  ['Rarely', blank],
  ['', blank],
  ['Manager Emial', word],
  ['Büro', word],
];
const flaw = fc.constantFrom(
  '',
  '',
  '',
  '',
  '',
  'ann@x.test,"open\n',
  'x'.repeat(300),
  '\0',
  '"a" b\r\n',
  '\n,,\n',
  'ann@x.test',
);
const table = fc.subarray(columns, { minLength: 1, maxLength: 6 }).chain((chosen) =>
  fc.record({
    header: fc.constant(['User Email', ...chosen.map(([label]) => label)]),
    rows: fc.array(fc.tuple(address, ...chosen.map(([, value]) => value)), { maxLength: 12 }),
    flaw,
  }),
);
const teams = fc.record({
  header: fc.constant(['Team Name', 'Owner Email', 'Parent Team']),
  rows: fc.array(fc.tuple(fc.constantFrom('Ops', 'ops', 'Law', ''), address, fc.constantFrom('Ops', 'Board', '')), {
    maxLength: 6,
  }),
  flaw,
});
const sent: fc.Arbitrary<Sent> = fc
  .record({
    table: fc.oneof({ weight: 8, arbitrary: table }, { weight: 1, arbitrary: teams }),
    newline: fc.constantFrom('\n', '\r\n'),
    pieceBytes: fc.integer({ min: 20, max: 90 }),
    coding: fc.constantFrom<BufferEncoding>('utf8', 'utf8', 'utf8', 'latin1'),
  })
  .map(({ table: { header, rows, flaw: end }, newline, pieceBytes, coding }) => {
    const text = [header, ...rows].map((cells) => cells.join(',') + newline).join('') + end;
    return { bytes: Buffer.from(text, coding), pieceBytes };
  });

const change: fc.Arbitrary<Partial<Org>> = fc.record({
  dateFormat: fc.constantFrom<Org['dateFormat']>('auto', 'auto', 'mdy'),
  options: fc.constantFrom(
    ...([
      ...[{}, {}, {}, { identifier: 'Office' }, { identifier: 'Rarely', managerIdentifier: 'Büro' }],
      ...[{ encoding: 'auto' }, { nullWords: ['007'] }, { statusWords: { active: ['active'], deactivated: ['left'] } }],
      ...[{ createMissing: 'no' }, { requireDottedDomain: false }],
    ] as Org['options'][]),
  ),
});
const limits = fc.constantFrom<Partial<Settings>>(
  ...[{}, {}, {}, { maxColumns: 12 }, { maxRows: 6 }, { maxCellBytes: 200 }, { maxReportedIssues: 2 }],
);
const knownFields = fc.subarray<Field>([
  { id: 'fsince', label: 'Since', type: 'date', position: 0, createdAt: 0, hidden: false, aliases: [] },
  { id: 'foffice', label: 'Office', type: 'text', position: 1, createdAt: 0, hidden: false, aliases: ['rarely'] },
]);

onBothInLongTests('one reading', (open) => {
  const databases = shareDatabases(open);
  let acme: Company;
  const join = async () => {
    acme ??= await Company.join(databases(), { ownerEmail: 'owner@x.test' });
    return acme;
  };

  interface Case {
    sent: Sent;
    change: Partial<Org>;
    limits: Partial<Settings>;
    fields: Field[];
  }

  /** All that planning the file leaves behind. @param decidingRows 0: read twice */
  const plan = async ({ sent, change, limits, fields }: Case, decidingRows: number) => {
    const { deps, org: joined, clock } = await join();
    const org = { ...joined, ...change };
    const settings = { ...deps.settings, ...limits };
    return withTrialStage(deps, async (stage) => {
      const known = await readKnown(deps.directory.read, org, settings, undefined);
      const input: PlanInput = {
        ...known,
        ...{ settings, stage, org, now: clock, today: '2026-03-10', decidingRows, reportProgress: () => {} },
        fields: structuredClone(fields),
      };
      const source = sourceOf(sent);
      const [planned] = await planFiles(input, [await readAs(source, org.options.encoding)]);
      const labels = new Map(input.fields.map(({ id, label }) => [id, label]));
      const { open: _, ...told } = planned!;
      const { form, isChanged } = input.known;
      const left = {
        told,
        tables: await dump(stage, told.refusal === null && told.rows > 0, labels),
        fields: input.fields.map((field) => ({
          ...field,
          id: fields.some(({ id }) => id === field.id) ? field.id : '',
        })),
        known:
          form === null ? null : { form, isChanged, pieces: Buffer.concat([...input.known.pieces()]).toString('hex') },
      };
      return { left, opened: source.opened };
    });
  };

  const once = async (text: string, change: Partial<Org> = {}, decidingRows = 2) => {
    const given = { sent: { bytes: Buffer.from(text), pieceBytes: 40 }, change, limits: {}, fields: [] };
    const [one, two] = [await plan(given, decidingRows), await plan(given, 0)];
    assert.deepEqual(one.left, two.left);
    return { ...one, isOnce: one.opened < two.opened };
  };

  test('a file whose first rows tell its columns is read once', async () => {
    const rows = Array.from({ length: 30 }, (_, n) => `u${n}@x.test,2026-01-${10 + (n % 9)},Yes,${n}`);
    const { isOnce, left } = await once(csv('User Email,Since,Remote,Badge', ...rows));
    assert.ok(isOnce);
    assert.deepEqual(
      left.fields.map(({ label, type }) => [label, type]),
      [
        ['Since', 'date'],
        ['Remote', 'boolean'],
        ['Badge', 'text'],
      ],
    );
  });

  test('a column that has its first value late is filled from there on, in the same reading', async () => {
    const rows = Array.from(
      { length: 30 },
      (_, n) => `u${n}@x.test,${n < 20 ? '' : '02/13/2027'},${n < 25 ? '' : 'Yes'}`,
    );
    const { isOnce, left } = await once(csv('User Email,Since,Remote', ...rows));
    assert.ok(isOnce);
    assert.equal(left.tables.user_rows?.filter(({ custom }) => custom !== null).length, 10);
  });

  for (const [title, early, late] of [
    ['makes a text of a column of dates', '2026-01-31', 'soon'],
    ['makes a text of a column of Yes and No', 'TRUE', 'often'],
    ['decides the order of dates', '1/2/2026', '13/2/2026'],
    ['contradicts the order of dates', '2/13/2026', '13/2/2026'],
    ['makes a field of a column of null words', 'N/A', 'Rome'],
  ])
    test(`a late row that ${title} has the file read twice`, async () => {
      const rows = Array.from({ length: 30 }, (_, n) => `u${n}@x.test,${n === 29 ? late : early}`);
      assert.equal((await once(csv('User Email,Since', ...rows))).isOnce, false);
      assert.ok((await once(csv('User Email,Since', ...rows), {}, 30)).isOnce);
    });

  test('a late row that a date of departure depends on has the file read twice', async () => {
    const rows = Array.from({ length: 30 }, (_, n) => `u${n}@x.test,${n === 29 ? '13/2/2027' : '1/2/2027'}`);
    const { isOnce, left } = await once(csv('User Email,Deactivation Date', ...rows));
    assert.equal(isOnce, false);
    assert.equal(left.tables.user_rows?.find(({ line }) => line === 2)?.deactivation_date, '2027-02-01');
  });

  test('a file that is refused late leaves its refusal only', async () => {
    const rows = Array.from({ length: 30 }, (_, n) => `u${n}@x.test,maybe`);
    const { left } = await once(`${csv('User Email,Is Org Admin', ...rows)}u31@x.test,"open`);
    assert.deepEqual(
      left.tables.issues.map(({ code, line }) => [code, line]),
      [['unclosed_quote', 32]],
    );
  });

  test('any file is planned as one that is read twice', async () => {
    let readOnce = 0;
    const isSame = async (given: Case, decidingRows: number) => {
      const [one, two] = [await plan(given, decidingRows), await plan(given, 0)];
      assert.deepEqual(one.left, two.left);
      if (one.opened < two.opened) readOnce++;
    };
    const given = fc.record({ sent, change, limits, fields: knownFields });
    await fc.assert(fc.asyncProperty(given, fc.integer({ min: 1, max: 3 }), isSame), { numRuns });
    assert.ok(readOnce > numRuns / 10 && readOnce < numRuns, `${readOnce} of ${numRuns} were read once`);
  });
});

const planTables = ['people', 'groups', 'joins', 'changes', 'fields'];

/** The rows of the plan, with the labels of fields in place of their ids. */
async function dump(stage: Stage, hasRows: boolean, labels: ReadonlyMap<string, string>) {
  const read = async (table: string) => {
    const found = await rows<Record<string, unknown>>(stage, `SELECT * FROM ${stage.prefix}.${table}`);
    const told = found.map((row) => {
      // On PostgreSQL a user has the next number of a sequence.
      const { id: _, custom, ...rest } = row;
      if (custom === undefined) return rest;
      const values: Record<string, string> = typeof custom === 'string' ? JSON.parse(custom) : custom;
      const named = values === null ? null : Object.entries(values).map(([id, value]) => [labels.get(id) ?? id, value]);
      return { ...rest, custom: named?.sort(([a], [b]) => (a! < b! ? -1 : 1)) ?? null };
    });
    return told.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
  };
  const issues = [];
  for await (const page of listIssues(stage, 0)) issues.push(...page.map((issue) => ({ ...issue, n: null })));
  const plans: Record<string, unknown[]> = {};
  for (const table of planTables) plans[table] = await read(table);
  return { issues, plans, user_rows: hasRows ? [...(await read('user_rows')), ...(await read('team_rows'))] : null };
}
