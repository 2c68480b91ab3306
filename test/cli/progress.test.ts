/** Progress and colours: one line that is written over at a terminal, plain lines elsewhere, and nothing but texts with NO_COLOR. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { WriteStream } from 'node:tty';
import { markTints, type TerminalForm } from '../../cli/color.js';
import { reportEnding } from '../../cli/exit.js';
import { createOutput, type ListView } from '../../cli/output.js';
import { displayWidth } from '../../cli/width.js';
import { readTerminalVariables } from '../../config/environment.js';
import { type Advance, beginPhase, describeAdvance, shareOf, toLines } from '../../operations/advance.js';
import { OperationError } from '../../operations/error.js';

/** Begins each escape code. */
const esc = '\u001b';
const capable: TerminalForm = { mayColor: true, mayRewrite: true };
const noColor: TerminalForm = { mayColor: false, mayRewrite: true };

/** @param columns of both streams; null: they are pipes. */
function listen(columns: number | null, { terminal = capable, json = false } = {}) {
  const open = () => {
    const stream = new PassThrough({ highWaterMark: 1024 * 1024 });
    return Object.assign(stream, columns === null ? {} : { isTTY: true, columns }) as unknown as WriteStream;
  };
  const [stdout, stderr] = [open(), open()];
  const clock = { now: 0 };
  const read = (stream: WriteStream) => (stream as unknown as PassThrough).read()?.toString() ?? '';
  const out = createOutput({ json, terminal, now: () => clock.now }, stdout, stderr);
  return { out, clock, stdout: () => read(stdout), stderr: () => read(stderr) };
}

const copying = (done: number, total: number | null = 4000, name: string | null = null): Advance => ({
  ...{ phase: 'copying', amount: `${done} files`, done, unit: 'files', share: shareOf(done, total), name },
});

/** The screen's line after these bytes: a carriage return goes to its beginning. */
function screenOf(bytes: string): string {
  let cells: string[] = [];
  let at = 0;
  for (const letter of bytes.slice(bytes.lastIndexOf('\n') + 1)) {
    if (letter === '\r') at = 0;
    else cells[at++] = letter;
  }
  cells = Array.from(cells, (cell) => cell ?? ' ');
  return cells.join('').trimEnd();
}

test('at a terminal one line is written over: phase, percent, amount, rate and the time left', () => {
  const { out, clock, stderr } = listen(80);
  out.progress(copying(0));
  clock.now = 100;
  out.progress(copying(100));
  clock.now = 900;
  out.progress(copying(0));
  assert.equal(stderr(), '\rcopying 0 % · 0 files', 'at most five times in a second, and no line twice');
  clock.now = 2000;
  out.progress(copying(1000, 4000, 'users.csv'));
  const first = stderr();
  assert.equal(screenOf(first), 'copying 25 % · 1000 files · users.csv', 'a new file, a new measure');
  clock.now = 4000;
  out.progress(copying(2000, 4000, 'users.csv'));
  const second = stderr();
  assert.equal(screenOf(first + second), 'copying 50 % · 2000 files · 500 files/s · 4 s left · users.csv');
  assert.ok(!(first + second).includes('\n') && !(first + second).includes(esc));
  out.endProgress();
  assert.equal(screenOf(first + second + stderr()), '');
});

test('a line never fills the terminal, and leaves nothing of a longer one', () => {
  const { out, clock, stderr } = listen(40);
  out.progress(copying(7, null, `${'王'.repeat(30)}.csv`));
  const long = stderr();
  assert.ok(displayWidth(screenOf(long)) <= 39, long);
  assert.match(screenOf(long), /^copying · 7 files · 王+…$/);
  clock.now = 1000;
  out.progress(beginPhase('closing'));
  assert.equal(screenOf('x'.repeat(39) + stderr()), 'closing');
  out.endProgress();
});

test('a phase without a total has its count, and one without news its time', () => {
  const { out, clock, stderr } = listen(80);
  out.progress(copying(10, null));
  clock.now = 10_000;
  out.progress(copying(60, null));
  assert.match(stderr(), /\rcopying · 60 files · 5\.0 files\/s · 10 s *$/);
  out.progress({ ...beginPhase('applying'), name: 'a\u001b[2J.csv' });
  clock.now = 200_000;
  out.progress({ ...beginPhase('applying'), name: 'a\u001b[2J.csv' });
  assert.match(stderr(), /\rapplying · 3:10 min · a\\u001b\[2J\.csv *$/);
  out.endProgress();
});

test('a remark, a result and a table have lines of their own; the line comes back while the work continues', async () => {
  const { out, clock, stdout, stderr } = listen(80);
  out.progress(copying(1));
  out.progress('1 file was removed meanwhile');
  assert.match(stderr(), /\rcopying 0 % · 1 files\r +\r1 file was removed meanwhile\n$/);
  clock.now = 10;
  out.progress(copying(2));
  assert.match(stderr(), /^\rcopying/);
  await out.show(null, 'Done.');
  assert.deepEqual([stdout(), /^\r +\r$/.test(stderr())], ['Done.\n', true]);
  out.endProgress();
  assert.equal(stderr(), '');
});

test('content that is written to the terminal is not mixed with progress', async () => {
  const { out, clock, stderr } = listen(80);
  await out.write('a,b\n');
  clock.now = 5000;
  out.progress(copying(1));
  assert.equal(stderr(), '');
});

test('elsewhere: plain lines, none of short work, and fewer the longer it takes', () => {
  for (const options of [{}, { terminal: { mayColor: false, mayRewrite: false } }]) {
    const { out, clock, stderr } = listen(options.terminal === undefined ? null : 80, options);
    for (let second = 0; second <= 3600; second += 0.5) {
      clock.now = second * 1000;
      out.progress(copying(second, 3600));
      if (second === 0.5) assert.equal(stderr(), '');
    }
    const lines = stderr().trimEnd().split('\n');
    assert.equal(lines[0], 'copying 0 % · 1 files · 1.0 files/s · 59:59 min left');
    assert.ok(lines.length > 50 && lines.length < 90, String(lines.length));
    assert.ok(!lines.join().includes('\r') && !lines.join().includes(esc));
    out.endProgress();
  }
});

test('with --json there is no progress', () => {
  const { out, clock, stderr } = listen(80, { json: true });
  out.progress(copying(1));
  clock.now = 9000;
  out.progress(copying(2));
  out.progress('a remark');
  assert.equal(stderr(), '');
});

const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
const yellow = (text: string) => `\u001b[33m${text}\u001b[39m`;

interface Run {
  id: string;
  state: string;
}

const runs: ListView<Run> = {
  columns: [
    { title: 'RUN', cell: ({ id }) => id, align: 'right' },
    { title: 'STATE', cell: ({ state }) => state, tint: ({ state }) => (state === 'failed' ? 'red' : null) },
    { title: 'NEXT', cell: () => 'x' },
  ],
  empty: '',
  toJson: (run) => run,
};
const rows = [
  { id: '1', state: 'failed' },
  { id: '20', state: 'superseded' },
];

test('colours do not count for the width of a column, and begin a line where the text has its mark', async () => {
  const { out, stdout } = listen(80);
  await out.list(rows, runs);
  assert.equal(stdout(), `RUN  STATE       NEXT\n  1  ${red('failed')}      x\n 20  superseded  x\n`);
  await out.show(null, 'WRONG    a: b\nwarning  WRONG  c\nok', markTints);
  assert.equal(stdout(), `${red('WRONG  ')}  a: b\n${yellow('warning')}  WRONG  c\nok\n`);
});

test('no colour with NO_COLOR, in a pipe, or on a terminal that has none', async () => {
  for (const { out, stdout, stderr } of [listen(80, { terminal: noColor }), listen(null)]) {
    await out.list(rows, runs);
    await out.show(null, 'WRONG    a: b', markTints);
    out.note('WRONG    a: b', markTints);
    out.progress(copying(1));
    out.endProgress();
    assert.ok(!(stdout() + stderr()).includes(esc));
  }
  assert.deepEqual(
    [{}, { NO_COLOR: '' }, { NO_COLOR: '0' }, { TERM: 'dumb' }].map((env) => readTerminalVariables(env)),
    [capable, capable, noColor, { mayColor: false, mayRewrite: false }],
  );
});

test('an error has a red beginning at a terminal', () => {
  const words = (isTTY: boolean, terminal: TerminalForm) => {
    const stream = Object.assign(new PassThrough(), { isTTY });
    reportEnding(new OperationError('failed', 'no'), false, stream, terminal);
    return stream.read().toString();
  };
  assert.equal(words(true, capable), `${red('dropslot:')} no\n`);
  for (const plain of [words(false, capable), words(true, noColor)]) assert.equal(plain, 'dropslot: no\n');
});

test('a log has each remark, each phase, and its progress every two seconds', () => {
  const lines: string[] = [];
  let now = 0;
  const tell = toLines(
    (line) => lines.push(line),
    () => now,
  );
  for (const news of [beginPhase('copying'), copying(1), 'a remark', copying(2)]) tell(news);
  now = 2000;
  tell(copying(3));
  assert.deepEqual(lines, ['copying', 'a remark', 'copying · 3 files']);
  assert.equal(describeAdvance(copying(1, 2, 'a.csv')), 'copying · 1 files · a.csv');
});
