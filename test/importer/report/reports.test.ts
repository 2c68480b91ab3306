/** What goes back to the sender, and what is kept: reports, rejected rows, summaries, the record of changes (R1–R3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import type { RunSummary } from '../../../importer/types.js';
import { Company, csv } from '../../support/company.js';
import { onBothInLongTests } from '../../support/databases.js';

const miscounted = 'The header has 3 cells, this row 2. Look for a missing or an extra separator or quote.';
const notAnEmail = '"""User Email"" is not a valid email address: it has no @. Correct it."';
const lastAdmin =
  'This is the last active admin, and a file can neither demote nor deactivate them; the cell was ignored';

onBothInLongTests('reports', (open) => {
  test('R1 the report tells line, column, severity, code, message and value', async (t) => {
    const acme = await Company.open(open, t);
    const summary = await acme.import({
      'staff list.CSV': csv('User Email,Is Org Admin', 'ann@acme.test,=cmd|x', 'nobody,No', '"a,b",Yes'),
    });
    const [file] = summary.files;
    assert.equal(file!.archivedAs, '/archive/2026-03-10/staff list.CSV');
    assert.equal(file!.report, '/reports/2026-03-10/staff list.report.csv');
    const report = parse(await acme.read(file!.report!), { columns: true });
    assert.deepEqual(
      report.map((row: unknown) => row),
      [
        {
          line: '2',
          column: 'Is Org Admin',
          severity: 'warning',
          code: 'admin_invalid',
          message: '"Is Org Admin" takes Yes or No; it was left as it is.',
          value: "'=cmd|x",
        },
        {
          line: '3',
          column: 'User Email',
          severity: 'fault',
          code: 'email_invalid',
          message: '"User Email" is not a valid email address: it has no @. Correct it.',
          value: 'nobody',
        },
        {
          line: '4',
          column: 'User Email',
          severity: 'fault',
          code: 'email_invalid',
          message: '"User Email" is not a valid email address: it has no @. Correct it.',
          value: 'a,b',
        },
      ],
    );
    const told: RunSummary = JSON.parse(await acme.read(`/reports/2026-03-10/run-${summary.run}.summary.json`));
    assert.deepEqual(told, { schema: 1, ...summary });
    assert.match(
      await acme.read(`/reports/2026-03-10/run-${summary.run}.summary.txt`),
      /Users: 1 created, 2 rows rejected, 1 warning/,
    );
  });

  test('R1 F7 the report calls columns as the file does, and quotes their cells', async (t) => {
    const acme = await Company.open(open, t, {
      options: {
        aliases: { 'Work Email': 'User Email', Boss: 'Manager Email', Leaves: 'Deactivation Date', Group: 'Team Name' },
        identifier: 'Employee ID',
      },
    });
    const told = async (file: string) => {
      const summary = await acme.import({ 'file.csv': file });
      return (parse(await acme.read(summary.files[0]!.report!), { columns: true }) as Record<string, string>[]).map(
        ({ line, column, code, message, value }) => [line, column, code, value, message!.split('.')[0]],
      );
    };
    await acme.import({ 'file.csv': csv('Work Email,Employee ID', 'owner@acme.test,1', 'ann@acme.test,2') });
    assert.deepEqual(
      await told(
        csv(
          'Work Email,Employee ID,Boss,is org admin,Leaves',
          'owner@acme.test,,ann@acme.test,NO,03/31/2026',
          'ann@acme.test, 1 ,,,',
          'nobody,3,,,',
          ',4,,,',
          'eve@acme.test,5,someone,perhaps,soon',
          'tim@acme.test,6,,,',
          'TIM@acme.test,7,,,',
        ),
      ),
      [
        ['1', 'is org admin', 'label_inexact', '', 'The column "is org admin" was read as "Is Org Admin"'],
        ['2', 'is org admin', 'last_admin', 'NO', lastAdmin],
        ['2', 'Leaves', 'last_admin', '03/31/2026', lastAdmin],
        ['3', 'Employee ID', 'identifier_conflict', '1', 'The user with the "Employee ID" 1 has the email owner@acme'],
        ['4', 'Work Email', 'email_invalid', 'nobody', '"Work Email" is not a valid email address: it has no @'],
        ['5', 'Work Email', 'email_missing', '', '"Work Email" is empty'],
        [
          '6',
          'Boss',
          'manager_invalid',
          'someone',
          '"Boss" is not a valid email address: it has no @; the manager was left as it is',
        ],
        ['6', 'is org admin', 'admin_invalid', 'perhaps', '"is org admin" takes Yes or No; it was left as it is'],
        ['6', 'Leaves', 'date_invalid', 'soon', 'This is not a date; the cell was ignored'],
        ['7', 'Work Email', 'email_twice', 'tim@acme.test', 'The same email is on line 8 with other values'],
        ['8', 'Work Email', 'email_twice', 'TIM@acme.test', 'The same email is on line 7 with other values'],
      ],
    );
    assert.deepEqual(await told(csv('Group,Parent Team', ',Ops', 'Law,law')), [
      ['2', 'Group', 'team_missing', '', '"Group" is empty'],
      ['3', 'Parent Team', 'parent_self', 'law', 'A team cannot be its own parent; the parent was left as it is'],
    ]);
  });

  test('R1 rejected rows, mended and sent again, are imported', async (t) => {
    const acme = await Company.open(open, t);
    const first = await acme.import({
      'users.csv': csv(
        'User Email;User Name;Note',
        'ann@acme.test;Ann;ok',
        'bob(at)acme.test;Bob;"two\nlines, and ""more"""',
        'cyd@acme.test;Cyd',
      ),
    });
    const rejected = await acme.read(first.files[0]!.rejected!);
    assert.equal(
      rejected,
      [
        'User Email;User Name;Note;Dropslot Problem;Dropslot Line\r\n',
        'bob(at)acme.test;Bob;"two\nlines, and ""more""";"""User Email"" is not a valid email address: it has no @. Correct it.";3\r\n',
        `cyd@acme.test;Cyd;;${miscounted};5\r\n`,
      ].join(''),
    );
    const mended = rejected.replace('(at)', '@').replace(`Cyd;;${miscounted};5`, 'Cyd;;;5');
    const second = await acme.import({ 'users.rejected.csv': mended });
    assert.deepEqual([second.users.created, second.users.faults], [2, 0]);
    assert.equal(second.files[0]!.rejected, null);
    assert.deepEqual((await acme.users())['bob@acme.test']!.custom, { Note: 'two\nlines, and "more"' });
  });

  test('R1 rejected rows and reports are written as the file is: byte order mark, sep= line, separator', async (t) => {
    const acme = await Company.open(open, t, { options: { encoding: 'auto' } });
    const rows = ['User Email;Größe', 'bob(at)acme.test;"groß; sehr"', 'ann@acme.test;klein'].join('\r\n');
    const forms = [
      [`\ufeffsep=;\r\n${rows}`, 'utf8', '\ufeffsep=;\r\n'],
      [rows, 'utf8', '\ufeff'],
      [rows, 'latin1', '\ufeff'],
      [`\ufeff${rows}`, 'utf16le', '\ufeff'],
    ] as const;
    for (const [text, encoding, head] of forms) {
      const [file] = (await acme.import({ 'users.csv': Buffer.from(text, encoding) })).files;
      const rejected = await acme.read(file!.rejected!);
      const labels = 'User Email;Größe;Dropslot Problem;Dropslot Line\r\n';
      const line = head.includes('sep') ? 3 : 2;
      assert.equal(rejected, `${head}${labels}bob(at)acme.test;"groß; sehr";${notAnEmail};${line}\r\n`);
      const report = await acme.read(file!.report!);
      const mark = encoding === 'utf8' && !text.startsWith('\ufeff') ? '' : '\ufeff';
      assert.ok(report.startsWith(`${mark}line;column;severity;code;message;value\r\n`), report);
      const again = await acme.import({ 'users.csv': rejected.replace('(at)', '@') });
      assert.deepEqual((await acme.users())['bob@acme.test']!.custom, { Größe: 'groß; sehr' });
      assert.deepEqual([again.users.faults, again.users.warnings], [0, 0]);
    }
  });

  test('R1 C1 the summary and the check name the fields that new columns make: a misspelt one is seen', async (t) => {
    const acme = await Company.open(open, t);
    const text = csv('User Email,Departmnt,Remote,Since', 'ann@acme.test,Ops,yes,2026-01-31');
    const told = async (summary: RunSummary) => acme.read(`/reports/2026-03-10/run-${summary.run}.summary.txt`);
    const first = await acme.import({ 'users.csv': text });
    assert.match(await told(first), /new fields: Departmnt \(text\), Remote \(Yes or No\), Since \(date\)/);
    assert.deepEqual(first.files[0]!.newFields![0], { label: 'Departmnt', type: 'text' });
    assert.doesNotMatch(await told(await acme.import({ 'users.csv': text })), /new fields/);
  });

  test('G2 a file that is refused for its faults is to be sent whole again, not its faulty rows alone', async (t) => {
    const acme = await Company.open(open, t);
    const rows = Array.from({ length: 20 }, (_, index) => `bad${index}`);
    const summary = await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test', ...rows) });
    const told = await acme.read(`/reports/2026-03-10/run-${summary.run}.summary.txt`);
    assert.match(told, /faulty rows, to be mended in the whole file, which is then sent again, in\s+\/reports/);
    assert.doesNotMatch(told, /rejected rows, to be mended/);
  });

  test('R1 no spreadsheet runs a rejected cell, and what is mended means what it meant', async (t) => {
    const acme = await Company.open(open, t);
    const cells = ['=1+1', '"=""00123"""', "'00123", '+49 30', '"=""a""&B1&""b"""', "'=x"];
    const header = 'User Email,"=FIELD(1)",Badge,Kept,Phone,Odd,Guarded';
    const first = await acme.import({ 'users.csv': csv(header, `bob(at)acme.test,${cells}`, 'eve@acme.test,x,,,,,') });
    const rejected = await acme.read(first.files[0]!.rejected!);
    assert.deepEqual(parse(rejected), [
      ['User Email', "'=FIELD(1)", 'Badge', 'Kept', 'Phone', 'Odd', 'Guarded', 'Dropslot Problem', 'Dropslot Line'],
      [
        ...['bob(at)acme.test', "'=1+1", '="00123"', "'00123", "'+49 30", 'a"&B1&"b', "'=x"],
        ...['"User Email" is not a valid email address: it has no @. Correct it.', '2'],
      ],
    ]);
    const again = await acme.import({ 'users.csv': rejected.replace('(at)', '@') });
    assert.deepEqual([again.users.created, again.users.warnings], [1, 0]);
    const said = {
      '=FIELD(1)': '=1+1',
      Badge: '00123',
      Kept: '00123',
      Phone: '+49 30',
      Odd: 'a"&B1&"b',
      Guarded: '=x',
    };
    assert.deepEqual((await acme.users())['bob@acme.test']!.custom, said);
  });

  test('R1 a newline in a rejected cell makes no second row, and what is written can be read again', async (t) => {
    const acme = await Company.open(open, t, { options: { encoding: 'windows-1252' } });
    const text = csv('User Email,Größe', 'bob(at)acme.test,"groß\neve@acme.test,No"', '"no\rbody",klein');
    const first = await acme.import({ 'users.csv': Buffer.from(text, 'latin1') });
    assert.equal(first.users.faults, 2);
    const report = parse(await acme.read(first.files[0]!.report!), { columns: true, bom: true }) as Record<
      string,
      string
    >[];
    assert.deepEqual(
      report.map(({ line, value }) => [line, value]),
      [
        ['2', 'bob(at)acme.test'],
        ['4', 'no\rbody'],
      ],
    );
    const mended = (await acme.read(first.files[0]!.rejected!))
      .replace('(at)', '@')
      .replace('no\rbody', 'cyd@acme.test');
    assert.deepEqual(
      mended,
      [
        '\ufeffUser Email,Größe,Dropslot Problem,Dropslot Line\r\n',
        `bob@acme.test,"groß\neve@acme.test,No",${notAnEmail},2\r\n"cyd@acme.test",klein,${notAnEmail},4\r\n`,
      ].join(''),
    );
    const second = await acme.import({ 'users.rejected.csv': Buffer.from(mended) });
    assert.deepEqual([second.users.created, second.users.faults, second.users.warnings], [2, 0, 0]);
    assert.deepEqual((await acme.users())['bob@acme.test']!.custom, { Größe: 'groß\neve@acme.test,No' });
  });

  test('R1 files of one name, in one run and on one day, keep apart', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/a/users.csv', csv('user email', 'ann@acme.test'));
    await acme.drop('/b/users.csv', csv('user email', 'bob@acme.test'));
    const summary = await acme.import();
    assert.deepEqual(
      summary.files.map((file) => file.archivedAs),
      ['/archive/2026-03-10/users.csv', '/archive/2026-03-10/users-2.csv'],
    );
    assert.deepEqual(
      summary.files.map((file) => file.report),
      ['/reports/2026-03-10/users.report.csv', '/reports/2026-03-10/users-2.report.csv'],
    );
    assert.match(await acme.read('/archive/2026-03-10/users-2.csv'), /bob/);
  });

  test('R3 every change is recorded with run, file, line, field, before and after', async (t) => {
    const acme = await Company.open(open, t);
    await acme.import({ 'users.csv': csv('User Email,User Name,Office', 'ann@acme.test,Ann,Rome') });
    const summary = await acme.import({
      'users.csv': csv(
        'User Email,User Name,Office,Teams,Is Org Admin,Manager Email',
        'ann@acme.test,Anna,Oslo,Sales,Yes,boss@acme.test',
      ),
    });
    const ann = (await acme.users())['ann@acme.test']!;
    const changes = await acme.deps.directory
      .read('changes')
      .where({ entity: 'user', entity_id: String(ann.id), run_id: summary.run })
      .orderBy('field')
      .select('line', 'field', 'before', 'after', 'upload_id');
    const change = (field: string, before: string | null, after: string) => ({
      line: 2,
      field,
      before,
      after,
      upload_id: summary.files[0]!.uploadId,
    });
    assert.deepEqual(
      changes.sort((a, b) => (a.field < b.field ? -1 : 1)),
      [
        change('Is Org Admin', 'No', 'Yes'),
        change('Manager Email', null, 'boss@acme.test'),
        change('Office', 'Rome', 'Oslo'),
        change('Teams', null, 'Sales'),
        change('User Name', 'Ann', 'Anna'),
      ],
    );
    const [creation] = await acme.deps.directory
      .read('changes')
      .where({ entity: 'user', entity_id: String(ann.id), field: '' });
    assert.equal(JSON.parse(creation.after)['User Email'], 'ann@acme.test');
    assert.equal(creation.line, 2);
  });

  test('a refused file harms no other of its run', async (t) => {
    const acme = await Company.open(open, t);
    const summary = await acme.import({
      'binary.csv': Buffer.from([0x55, 0x73, 0, 1, 2]),
      'broken.csv': csv('User Email,User Name', 'x@acme.test,"X'),
      'good.csv': csv('User Email', 'ann@acme.test'),
    });
    assert.deepEqual(
      summary.files.map(({ name, state }) => `${name} ${state}`),
      ['binary.csv refused', 'broken.csv refused', 'good.csv imported'],
    );
    assert.deepEqual(Object.keys(await acme.users()).sort(), ['ann@acme.test', 'owner@acme.test']);
    const states = await acme.deps.control.read('uploads').orderBy('id').select('state', 'archived_as');
    assert.deepEqual(
      states.map(({ state }) => state),
      ['refused', 'refused', 'imported'],
    );
    assert.deepEqual(await acme.codes(summary, 1), ['unclosed_quote@2']);
  });

  test('a file whose stored bytes are damaged is refused; the others are imported', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/a.csv', csv('User Email', 'ann@acme.test'));
    const { blob_id } = await acme.deps.control.read('uploads').first('blob_id');
    await acme.damage(blob_id);
    const summary = await acme.import({ 'b.csv': csv('User Email', 'bob@acme.test') });
    assert.deepEqual(
      summary.files.map(({ name, refusal }) => `${name} ${refusal?.code}`),
      ['a.csv damaged', 'b.csv undefined'],
    );
  });

  test('messages never quote a cell', async (t) => {
    const acme = await Company.open(open, t);
    const secret = 'Secret Person';
    const summary = await acme.import({
      'users.csv': csv(
        'User Email,Manager Email,Is Org Admin,User Account Type,Deactivation Date,Teams',
        `${secret},,,,,`,
        `ann@acme.test,${secret},${secret},${secret},${secret},"""${secret}"`,
      ),
    });
    const report: { message: string; value: string }[] = parse(await acme.read(summary.files[0]!.report!), {
      columns: true,
    });
    assert.equal(report.length, 6);
    for (const { message, value } of report) {
      assert.ok(!message.includes(secret), message);
      assert.ok(value.includes(secret));
    }
  });
});
