/** The audit trail as JSON lines: every record once, whatever is rotated, restarted or cut off. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startAuditLog } from '../../app/auditlog.js';
import { createSilentLogger } from '../../config/logger.js';
import { readRecords, recordAudit } from '../../db/control/audit.js';
import { openFresh } from '../support/databases.js';
import { keepingLogger, until } from '../support/session.js';

const patienceMs = 30_000;

async function openTrail(t: TestContext) {
  const { control, settings } = await openFresh(t, 'sqlite');
  const file = join(settings.data, 'audit.jsonl');
  let written = 0;
  const record = async (count: number) => {
    for (; count > 0; count--) {
      const event = { at: 1, org: 'acme', actor: 'system', action: 'test.done', subject: `${++written}` };
      await recordAudit(control.write, { ...event, detail: { text: 'x'.repeat(100) } });
    }
  };
  const start = () => {
    const log = startAuditLog({ control, target: file, logger: createSilentLogger(), everyMs: 5 });
    t.after(() => log.stop());
    return log;
  };
  const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []);
  const seqsOf = (path: string) => linesOf(path).map((line) => (JSON.parse(line) as { seq: number }).seq);
  return { control, file, record, start, seqsOf, linesOf };
}

const upTo = (count: number, from = 1) => Array.from({ length: count - from + 1 }, (_, index) => from + index);

test('what was recorded before and what comes is in the file, with its hashes', async (t) => {
  const { control, file, record, start, seqsOf, linesOf } = await openTrail(t);
  await record(3);
  const log = start();
  await until(() => seqsOf(file).length === 3, 'what was there before', patienceMs);
  const broken = control.transact(async (tx) => {
    await recordAudit(tx, { at: 1, org: null, actor: 'system', action: 'test.never', subject: '', detail: {} });
    throw new Error('rolled back');
  });
  await assert.rejects(broken);
  await record(2);
  await log.stop();
  assert.deepEqual(seqsOf(file), upTo(5));
  const hashes = [];
  for await (const { hash } of readRecords(control.read)) hashes.push(hash);
  assert.deepEqual(
    linesOf(file).map((line) => (JSON.parse(line) as { hash: string }).hash),
    hashes,
  );
});

test('a file that is moved away or truncated is followed by what comes next', async (t) => {
  const { file, record, start, seqsOf } = await openTrail(t);
  const log = start();
  await record(2);
  await until(() => seqsOf(file).length === 2, 'the first lines', patienceMs);
  renameSync(file, `${file}.1`);
  await record(2);
  await until(() => seqsOf(file).length === 2, 'lines in the new file', patienceMs);
  writeFileSync(`${file}.2`, readFileSync(file));
  truncateSync(file);
  await record(1);
  await log.stop();
  assert.deepEqual([...seqsOf(`${file}.1`), ...seqsOf(`${file}.2`), ...seqsOf(file)], upTo(5));
});

test('after a restart it goes on behind its last whole line, and behind a rotation too', async (t) => {
  const { file, record, start, seqsOf } = await openTrail(t);
  await record(2);
  await start().stop();
  appendFileSync(file, '{"seq":3,"time":"2026-');
  await record(2);
  await start().stop();
  assert.deepEqual(seqsOf(file), upTo(4));
  renameSync(file, `${file}.1`);
  await record(1);
  await start().stop();
  assert.deepEqual(seqsOf(file), [5]);
});

test('it may go to the log of the server instead', async (t) => {
  const { control, record } = await openTrail(t);
  await record(1);
  const { logger, lines } = keepingLogger('info');
  const log = startAuditLog({ control, target: 'log', logger, everyMs: 5 });
  t.after(() => log.stop());
  // Only what comes after its start.
  await until(
    async () => {
      await record(1);
      return lines.length > 0;
    },
    'a line',
    patienceMs,
  );
  await log.stop();
  const seqs = lines.map((line) => (JSON.parse(line) as { record: { seq: number } }).record.seq);
  assert.deepEqual(seqs, upTo(seqs.at(-1)!, seqs[0]));
  assert.ok(seqs[0]! > 1);
});

test('what can not be written is told once, and written later', async (t) => {
  const { control, file, record, seqsOf } = await openTrail(t);
  const { logger, lines } = keepingLogger('info');
  const folder = join(file, '..', 'later');
  const log = startAuditLog({ control, target: join(folder, 'audit.jsonl'), logger, everyMs: 5 });
  t.after(() => log.stop());
  await record(2);
  await until(() => lines.length > 0, 'the complaint', patienceMs);
  mkdirSync(folder);
  await until(() => seqsOf(join(folder, 'audit.jsonl')).length === 2, 'the lines', patienceMs);
  await log.stop();
  assert.equal(lines.filter((line) => line.includes('could not write the audit log')).length, 1);
});
