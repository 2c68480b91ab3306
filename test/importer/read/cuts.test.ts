/** However a file's bytes are cut on their way, it means the same: its encoding, rows, columns, values and what is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../../config/settings.js';
import type { Encoding } from '../../../db/control/orgoptions.js';
import { checkFile } from '../../../importer/check/check.js';
import { RefusalError } from '../../../importer/codes.js';
import { planColumns } from '../../../importer/read/columns.js';
import { fitsHeader, surveyRows } from '../../../importer/read/columnsurvey.js';
import { readAs } from '../../../importer/read/encoding.js';
import { wordingOf } from '../../../importer/read/labels.js';
import { openRows } from '../../../importer/read/rowstream.js';
import type { Source } from '../../../importer/read/source.js';
import { readUser } from '../../../importer/read/userrow.js';
import { valueRulesOf } from '../../../importer/read/valuerules.js';
import type { Issue } from '../../../importer/types.js';
import { Company } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';
import { fc } from '../../support/properties.js';

const limits = settingsSchema.parse({ maxCellBytes: 200 });

interface Sent {
  bytes: Buffer;
  encoding: Encoding;
}

/** The file in pieces of these sizes, over and over. */
function cut({ bytes }: Sent, sizes: readonly number[]): Source {
  const open = async function* () {
    for (let at = 0, piece = 0; at < bytes.length; piece++) {
      const size = sizes[piece % sizes.length]!;
      yield bytes.subarray(at, at + size);
      at += size;
    }
  };
  return { name: 'users.csv', bytes: bytes.length, sha256: '', open };
}

const rules = valueRulesOf({});

/** All that is known of the file before the directory is looked at. */
async function understand(sent: Sent, sizes: readonly number[]) {
  try {
    const source = await readAs(cut(sent, sizes), sent.encoding);
    const survey = await surveyRows(openRows(source, limits), limits, wordingOf({ options: {} }, []), rules, () => {});
    if (survey.header === null) return { survey };
    const rows = [];
    for await (const batch of openRows(source, limits)) rows.push(...batch);
    const columns = planColumns(survey.header, survey, [], { dateFormat: 'auto', options: {} }, 0, 139);
    const issues: Issue[] = [...columns.warnings];
    const users = rows
      .slice(1)
      .filter((row) => fitsHeader(row, survey.header!))
      .map((row) => readUser(row, columns, { today: '2026-03-10', startOfDay: () => 0 }, issues));
    const fields = new Map(columns.newFields.map(({ id, label, type }) => [id, `${label} ${type}`]));
    const named = users.map((user) => ({
      ...user,
      custom: Object.entries(user?.custom ?? {}).map(([id, value]) => [fields.get(id), value]),
    }));
    return { survey, isGuessed: source.isGuessed, rows, fields: [...fields.values()], users: named, issues };
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    return { refusal: error.refusal };
  }
}

const unit = fc.constantFrom(
  'a',
  'é',
  '€',
  '😀',
  'e\u0301',
  '"',
  ',',
  ';',
  '\n',
  '\r\n',
  '\r',
  ' ',
  '\u00a0',
  '\u200b',
);
const text = fc.string({ unit, maxLength: 6 });
const address = fc.constantFrom('a@x.test', 'Jürgen@x.test', 'b@x.test', '', 'nobody');
const date = fc.constantFrom('2026-03-11', '13/02/2026', '02/13/2026', '1/2/2026', '');

const delimiter = fc.constantFrom(',', ';', '\t', '|');
const table = fc.record({
  rows: fc.array(fc.tuple(address, text, date, text), { maxLength: 5 }),
  delimiter,
  newline: fc.constantFrom('\n', '\r\n', '\r'),
  named: fc.constantFrom('', 'plain', 'quoted'),
  isQuoted: fc.boolean(),
  hasEnd: fc.boolean(),
});

/** What may be wrong, at the end of the text or of the bytes. */
const flaw = fc.constantFrom('', '', '', '"open\n', 'x'.repeat(300), '\0', 'x\nx\n', '"a" b\r\n', '\uFEFF');
const tail = fc.constantFrom('', '', '', 'ff', 'e282', 'f09f98', 'c3');
const head = fc.constantFrom('', '', '', '', '504b0304', '1f8b08');
const form = fc.constantFrom<'utf8' | 'marked' | 'utf16le' | 'utf16be' | 'latin1'>(
  ...(['utf8', 'marked', 'utf16le', 'utf16be', 'latin1'] as const),
);

const sent: fc.Arbitrary<Sent> = fc
  .record({ table, flaw, head, tail, form, encoding: fc.constantFrom('utf-8', 'auto', 'utf-16', 'windows-1252') })
  .map(({ table: { rows, delimiter, newline, ...how }, flaw, head, tail, form, encoding }) => {
    const write = (cell: string) =>
      how.isQuoted || /["\r\n,;|\t]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
    const lines = [['User Email', 'User Name', 'Deactivation Date', 'Büro'], ...rows].map((cells) =>
      cells.map(write).join(delimiter),
    );
    const written =
      (how.named === '' ? '' : how.named === 'plain' ? `sep=${delimiter}${newline}` : `"sep=${delimiter}"${newline}`) +
      lines.join(newline) +
      (how.hasEnd ? newline : '') +
      flaw;
    const coded = encode(written, form);
    return {
      bytes: Buffer.concat([Buffer.from(head, 'hex'), coded, Buffer.from(tail, 'hex')]),
      encoding: encoding as Encoding,
    };
  });

function encode(written: string, form: string): Buffer {
  if (form === 'marked') return Buffer.from(`\uFEFF${written}`);
  if (form === 'latin1') return Buffer.from(written.replaceAll(/[^\0-\xff]/g, '?'), 'latin1');
  if (form === 'utf8') return Buffer.from(written);
  const wide = Buffer.from(`\uFEFF${written}`, 'utf16le');
  return form === 'utf16be' ? wide.swap16() : wide;
}

test('F2 F3 F4 how the bytes of a file are cut makes no difference to what it says', async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(sent, sizes, async (file, random) => {
      const whole = await understand(file, [Math.max(file.bytes.length, 1)]);
      assert.deepEqual(await understand(file, [1]), whole);
      assert.deepEqual(await understand(file, [...random, 3]), whole);
    }),
    { numRuns: 150 },
  );
});

test('F2 the plan of a file is the same, however its bytes are cut', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const acme = await Company.join(databases, { ownerEmail: 'owner@x.test' });
  const written = [
    'User Email;User Name;Manager Email;Teams;Deactivation Date;Büro',
    'jürgen@x.test;"Jürgen ""J""\r\nMüller";owner@x.test;"Süd, Öst";13/02/2027;Łódź',
    'e@x.test;"E\r\nE";;;;"Süd; ""S"""',
    'owner@x.test;;jürgen@x.test;;;"a;b"',
    'b@x.test;B;nobody;;30/02/2027;',
    'b@x.test;B2;;;;',
    'c@x.test;C',
    ';D;;;;',
    '',
  ].join('\r\n');
  const check = async (sent: Sent, sizes: number[]) => {
    const issues: Issue[] = [];
    const collect = (page: Issue[]) => {
      // `n` numbers them as they were found.
      issues.push(...page.map((issue) => ({ ...issue, n: null })));
    };
    const org = { ...acme.org, options: { encoding: sent.encoding } };
    const { users, teams, state } = await checkFile(acme.deps, org, cut(sent, sizes), { onIssues: collect });
    return { users, teams, state, issues };
  };
  const forms = [
    ['utf8', 'utf-8'],
    ['marked', 'utf-8'],
    ['utf16le', 'utf-16'],
    ['utf16be', 'auto'],
    ['latin1', 'windows-1252'],
    ['latin1', 'auto'],
    ['latin1', 'utf-8'],
  ] as const;
  const checkAll = async (text: string) => {
    for (const [form, encoding] of forms) {
      const file: Sent = { bytes: encode(text, form), encoding };
      const whole = await check(file, [file.bytes.length]);
      assert.equal(whole.users.refused, Number(form === 'latin1' && encoding === 'utf-8'));
      assert.deepEqual(await check(file, [1]), whole, `${form} byte by byte`);
      assert.deepEqual(await check(file, [5, 1, 64]), whole, `${form} in pieces`);
    }
  };
  await checkAll(written);
  // Some of its rows are known then.
  await acme.import({ 'users.csv': written });
  await checkAll(written.replace(';Łódź', ';Rome'));
});
