/** Tables fit a terminal, stay whole in a pipe, and never carry a client's control characters. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { WriteStream } from 'node:tty';
import stringWidth from 'string-width';
import { createOutput, type ListView, renderRecord } from '../../cli/output.js';
import { displayWidth } from '../../cli/width.js';
import { escapeControl, formatBytes, formatTime } from '../../operations/format.js';

interface Fruit {
  name: string;
  count: number;
}

const view: ListView<Fruit> = {
  columns: [
    { title: 'NAME', cell: (fruit) => fruit.name },
    { title: 'COUNT', cell: (fruit) => String(fruit.count), align: 'right' },
  ],
  empty: 'No fruit.',
  toJson: (fruit) => fruit,
};

function listen(columns: number | null, json = false, wide = false) {
  const stdout = new PassThrough({ highWaterMark: 1024 * 1024 });
  const stderr = new PassThrough();
  const terminal = Object.assign(stdout, columns === null ? {} : { isTTY: true, columns }) as unknown as WriteStream;
  const read = (stream: PassThrough) => stream.read()?.toString() ?? '';
  return {
    out: createOutput({ json, wide }, terminal, stderr),
    stdout: () => read(stdout),
    stderr: () => read(stderr),
  };
}

test('columns are aligned, numbers to the right', async () => {
  const { out, stdout } = listen(null);
  await out.list(
    [
      { name: 'apple', count: 7 },
      { name: 'fig', count: 120 },
    ],
    view,
  );
  assert.equal(stdout(), 'NAME   COUNT\napple      7\nfig      120\n');
});

test('on a terminal the widest column gives way; in a pipe none does', async () => {
  const rows = [{ name: 'pomegranate'.repeat(10), count: 1 }];
  const terminal = listen(40);
  await terminal.out.list(rows, view);
  for (const line of terminal.stdout().trimEnd().split('\n')) assert.ok(displayWidth(line) <= 40, line);
  const pipe = listen(null);
  await pipe.out.list(rows, view);
  assert.ok(pipe.stdout().includes(rows[0]!.name));
});

test('no rows: people are told so beside the result, programs get an empty array', async () => {
  const people = listen(null);
  await people.out.list([], view);
  assert.deepEqual([people.stdout(), people.stderr()], ['', 'No fruit.\n']);
  const program = listen(null, true);
  await program.out.list([], view);
  assert.deepEqual([JSON.parse(program.stdout()), program.stderr()], [[], '']);
});

test('rows stream as one JSON array', async () => {
  const { out, stdout } = listen(null, true);
  const rows = Array.from({ length: 1200 }, (_, count) => ({ name: `n${count}`, count }));
  await out.list(rows, view);
  assert.deepEqual(
    JSON.parse(stdout()),
    rows.map((row) => ({ schema: 1, ...row })),
  );
  const inside = listen(null, true);
  await inside.out.list(rows, view, true);
  assert.deepEqual(JSON.parse(inside.stdout()), rows, 'the value around it has the version');
});

test('every JSON has a schema version: values, and the elements of arrays', async () => {
  const { out, stdout } = listen(null, true);
  await out.show([{ a: 1 }, { a: 2 }], '');
  assert.deepEqual(JSON.parse(stdout()), [
    { schema: 1, a: 1 },
    { schema: 1, a: 2 },
  ]);
  const one = listen(null, true);
  await one.out.show({ a: 1 }, '');
  assert.equal(one.stdout(), '{\n  "schema": 1,\n  "a": 1\n}\n');
});

test('on a terminal no text is cut: it wraps', async () => {
  const message =
    'A sentence of ours that is longer than the terminal is wide, with averyveryverylongwordwithoutblanks.';
  const { out, stdout } = listen(40, false);
  const wrapping = {
    columns: [
      { title: 'LINE', cell: () => '2', align: 'right' as const },
      { title: 'MESSAGE', cell: () => message },
    ],
    empty: '',
    toJson: String,
  };
  await out.list([message], wrapping);
  const printed: string = stdout();
  const lines = printed.trimEnd().split('\n');
  for (const line of lines) assert.ok(line.length <= 40, line);
  assert.doesNotMatch(printed, /…/);
  const text = lines.slice(1).map((line) => line.slice(6));
  assert.equal(text.join('').replaceAll(' ', ''), message.replaceAll(' ', ''));
});

test('columns that find no room follow below their row: no address is broken, and empty ones are left out', async () => {
  const rows = [
    { id: 'bank-0003', owner: 'jane.smith-3@bank-0003.example.com', note: '', name: 'bank 0003 incorporated' },
    { id: 'bank-0008', owner: 'jane.smith-8@bank-0008.example.com', note: 'an open matter', name: 'bank' },
  ];
  const columns = [
    { title: 'ID', cell: ({ id }: (typeof rows)[0]) => id, whole: true as const },
    { title: 'OWNER', cell: ({ owner }: (typeof rows)[0]) => owner },
    { title: 'NAME', cell: ({ name }: (typeof rows)[0]) => name },
    { title: 'NOTE', cell: ({ note }: (typeof rows)[0]) => note || '–' },
    { title: 'STATE', cell: () => 'enabled' },
  ];
  const { out, stdout } = listen(60);
  await out.list(rows, { columns, empty: '', toJson: String });
  assert.deepEqual(stdout().split('\n'), [
    'ID         NAME                    NOTE            STATE',
    'bank-0003  bank 0003 incorporated  –               enabled',
    '    OWNER: jane.smith-3@bank-0003.example.com',
    'bank-0008  bank                    an open matter  enabled',
    '    OWNER: jane.smith-8@bank-0008.example.com',
    '',
  ]);
});

test('one long text follows below its row; its column remains', async () => {
  const rows = ['short', 'words', 'a path', 'x', '/exports-of-the-hr-system/users-of-the-whole-group.csv'];
  const columns = [
    { title: 'ID', cell: (text: string) => `id-${text.length}`, whole: true as const },
    { title: 'VALUE', cell: (text: string) => text },
    { title: 'FROM', cell: () => 'default' },
  ];
  const { out, stdout } = listen(50);
  await out.list(rows, { columns, empty: '', toJson: String });
  const lines: string[] = stdout().split('\n');
  assert.match(lines[0]!, /^ID +VALUE +FROM$/);
  assert.match(lines[3]!, /^id-6 +a path +default$/);
  assert.match(lines[5]!, /^id-54 +↓ +default$/);
  assert.deepEqual(lines.slice(6), ['    VALUE:', `    ${rows[4]}`, '']);
});

test('long values of a record wrap below themselves on a terminal; keys and pipes keep their lines', async () => {
  const text = renderRecord([
    ['Next slots', 'acme 2026-11-30 01:00 · beta 2026-11-30 01:00 · gamma 2026-11-30 02:00'],
    ['Recipient', `age1${'q'.repeat(58)}`],
  ]);
  const terminal = listen(40);
  await terminal.out.show(null, text);
  assert.deepEqual(terminal.stdout().split('\n'), [
    'Next slots:  acme 2026-11-30 01:00 ·',
    '             beta 2026-11-30 01:00 ·',
    '             gamma 2026-11-30 02:00',
    `Recipient:   age1${'q'.repeat(58)}`,
    '',
  ]);
  for (const whole of [listen(null), listen(40, false, true)]) {
    await whole.out.show(null, text);
    assert.equal(whole.stdout(), `${text}\n`);
  }
});

test('the column that identifies the row gives way last', async () => {
  const email = 'jane.with.a.long.name@acme.test';
  const { out, stdout } = listen(50);
  const columns = [
    { title: 'EMAIL', cell: () => email, whole: true as const },
    { title: 'TEAMS', cell: () => 'Sales and Marketing, Operations, Research' },
  ];
  await out.list([1], { columns, empty: '', toJson: String });
  const lines = stdout().trimEnd().split('\n');
  assert.ok(lines.some((line: string) => line.startsWith(email)));
  for (const line of lines) assert.ok(line.length <= 50, line);
});

test('fingerprints are shortened to a beginning that tells them apart, on a terminal that is too narrow only', async () => {
  const keys = ['SHA256:abcdefghIJKL', 'SHA256:abcdefghIJzz'].map((start) => start.padEnd(50, 'x'));
  const view = {
    columns: [
      { title: 'FINGERPRINT', cell: (key: string) => key, shortensTo: 15 },
      { title: 'NOTE', cell: () => 'n'.repeat(40) },
    ],
    empty: '',
    toJson: String,
  };
  const narrow = listen(80);
  await narrow.out.list(keys, view);
  const printed: string = narrow.stdout();
  for (const [index, line] of printed.trimEnd().split('\n').slice(1).entries()) {
    const shown = line.split(' ')[0]!;
    assert.equal(shown, keys[index]!.slice(0, 18));
    assert.equal(keys.filter((key) => key.startsWith(shown)).length, 1);
  }
  for (const roomy of [listen(120), listen(80, false, true), listen(null)]) {
    await roomy.out.list(keys, view);
    const whole: string = roomy.stdout();
    for (const key of keys) assert.ok(whole.includes(key));
  }
});

test('a name from outside can not command the terminal', () => {
  assert.equal(escapeControl('a\u001b[2Jb\u202ec\n'), 'a\\u001b[2Jb\\u202ec\\u000a');
  assert.equal(escapeControl('Zoë 王 ✓'), 'Zoë 王 ✓');
  assert.equal(
    renderRecord([
      ['Name', 'x\u0007'],
      ['Longer', 'y'],
      ['Gone', null],
    ]),
    'Name:    x\\u0007\nLonger:  y',
  );
});

test('what is shown, or goes wrong, can not command the terminal either; its lines stay lines', async () => {
  const { out, stdout, stderr } = listen(null);
  await out.show(null, 'a,b\r\n\u001b[2J: \u009bx\n\u202ey');
  out.note('reading · \u001b]0;x\u0007.csv');
  assert.equal(stdout(), 'a,b\r\n\\u001b[2J: \\u009bx\n\\u202ey\n');
  assert.equal(stderr(), 'reading · \\u001b]0;x\\u0007.csv\n');
  assert.equal(renderRecord([['\u001b[1mField', 'x\ny']]), '\\u001b[1mField:  x\\u000ay');
});

test('plain text is as wide as the library for widths says', () => {
  for (let code = 0x20; code < 0x2100; code++) {
    const character = String.fromCharCode(code);
    for (const text of [character, `a${character}–`])
      assert.equal(displayWidth(text), stringWidth(text), `U+${code.toString(16)}`);
  }
});

test('a Node.js that loads no ES module by require() measures and wraps texts, too', () => {
  const built = new URL('../../dist/cli/width.js', import.meta.url);
  const code = `import { displayWidth, wrapText } from ${JSON.stringify(built)};
    console.log(JSON.stringify([process.features.require_module, displayWidth('王王'), wrapText('a b c', 3)]));`;
  const flags = ['--no-experimental-require-module', '--input-type=module', '--eval'];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, code], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), [false, 4, ['a b', 'c']]);
});

test('widths, sizes and times', () => {
  assert.deepEqual([displayWidth('abc'), displayWidth('王王'), displayWidth('e\u0301')], [3, 4, 1]);
  assert.deepEqual([formatBytes(0), formatBytes(1023), formatBytes(1536)], ['0 B', '1023 B', '1.5 KiB']);
  assert.deepEqual([formatTime(0), formatTime(null)], ['1970-01-01 00:00:00 UTC', '–']);
});
