/** Faults of the machine use up no attempt of a run, however long they last; failures that a file causes do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimRun, findRun, openManualRun } from '../../../db/control/runs.js';
import { DatabaseError } from '../../../db/error.js';
import { ImportError } from '../../../importer/error.js';
import { classifyFailure, describeFault } from '../../../importer/run/failureclass.js';
import { pauseAfter, pauseAfterFault } from '../../../importer/run/pause.js';
import { workNext } from '../../../importer/run/worker.js';
import { KeyError } from '../../../keys/error.js';
import { SpaceError } from '../../../storage/types.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases, openFresh } from '../../support/databases.js';
import { keepingLogger } from '../../support/session.js';

const coded = (code: string, message = `${code}: as the system says it`) => Object.assign(new Error(message), { code });
const inside = (cause: unknown) => new SpaceError('failed', "blob 12 can't be written", { cause });

const machine: [string, unknown][] = [
  ...[
    ...['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'ECONNREFUSED', 'EAI_AGAIN'],
    ...['ENOLCK', 'ESTALE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOBUFS', 'EPIPE', 'ECONNRESET'],
    ...['SQLITE_BUSY', 'SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_IOERR_FSYNC', 'SQLITE_CANTOPEN', 'SQLITE_READONLY'],
    ...['SQLITE_LOCKED', 'SQLITE_NOMEM', 'SQLITE_PROTOCOL', 'SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_PERM'],
    // insufficient_resources: disk_full, out_of_memory, too_many_connections, configuration_limit_exceeded
    ...['53000', '53100', '53200', '53300', '53400'],
    // operator_intervention: query_canceled, admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped
    ...['57000', '57014', '57P01', '57P02', '57P03', '57P04'],
    // connection_exception: does_not_exist, failure, unable_to_establish, server_rejected
    ...['08000', '08003', '08006', '08001', '08004'],
    // serialization_failure, deadlock_detected, lock_not_available, read_only_sql_transaction, io_error, data_corrupted
    ...['40001', '40P01', '55P03', '25006', '58030', 'XX001'],
    // idle_in_transaction_session_timeout, transaction_timeout, idle_session_timeout
    ...['25P03', '25P04', '57P05'],
  ].map((code): [string, unknown] => [code, coded(code)]),
  ['a cause of a cause', inside(inside(coded('ENOSPC')))],
  ['a connection that PostgreSQL ended', new Error('Connection terminated unexpectedly')],
  ['a pool without a free connection', Object.assign(new Error('Timeout'), { name: 'KnexTimeoutError' })],
  ['a database that is away', new DatabaseError('unavailable', 'away')],
  ['a directory that changes all the time', new ImportError('contended', 'changed')],
  ['a master key that is not there', new KeyError('missing', 'no master key')],
];
const ofFile: [string, unknown][] = [
  ['a defect', new TypeError('x is undefined')],
  ['a constraint', coded('SQLITE_CONSTRAINT')],
  ['a unique key of PostgreSQL', coded('23505')],
  ['a wrong statement', coded('42601')],
  ['a destroyed identity', new KeyError('destroyed', 'gone')],
  ['no error at all', 'text'],
  ['a worker whose own limit of memory was reached', coded('ERR_WORKER_OUT_OF_MEMORY')],
];

for (const [name, error] of machine)
  test(`a fault of the machine: ${name}`, () => {
    assert.equal(classifyFailure(error), 'machine');
    assert.notEqual(describeFault(error), null);
  });

test('the sentence about a fault of PostgreSQL has no statement, whose names and values are not for reports', () => {
  for (const code of ['40001', '40P01', '55P03', '57014', '25P03', '25P04', '53300', '57P05'])
    assert.match(
      describeFault(coded(code, 'update "users" set "user_name" = $1 - canceling statement due to a limit'))!,
      /^the database (failed: canceling|was busy: other)/,
      code,
    );
});
for (const [name, error] of ofFile)
  test(`not a fault of the machine: ${name}`, () => assert.equal(classifyFailure(error), 'file'));

test('a ring of causes ends', () => {
  const error = new Error('one');
  error.cause = error;
  assert.equal(classifyFailure(error), 'file');
});

test('a statement of the database, which holds personal data, is in no description', () => {
  const error = coded(
    'SQLITE_FULL',
    'insert into `users` values (ann@acme.test) - SQLITE_FULL: database or disk is full',
  );
  assert.equal(describeFault(inside(error)), 'the database failed: SQLITE_FULL: database or disk is full');
});

test('no fault of the machine uses an attempt, whichever it is and at whatever step', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const { control } = acme.deps;
  await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
  const id = await openManualRun(control.write, 'acme', acme.clock);
  const steps = ['claimed', 'planned', 'reported'];
  for (const [turn, [name, error]] of machine.entries()) {
    const failing = async (step: string) => {
      if (step === steps[turn % steps.length]) throw error;
    };
    assert.equal(await workNext({ ...acme.deps, onStep: failing as never }), 'left', name);
    const run = (await findRun(control.read, id))!;
    assert.deepEqual([run.state, run.attempts, run.faults], ['open', 0, turn + 1], name);
    acme.clock = run.retryAt!;
  }
  assert.equal(await workNext(acme.deps), 'ended');
  assert.equal((await findRun(control.read, id))!.state, 'done');
});

onBothDatabases('failures of runs', (open) => {
  test('a disk that is full for hours: the run waits, says so, and goes on by itself', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    const { logger, lines } = keepingLogger();
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const steps = ['claimed', 'planned'];
    const failing = async (step: string) => {
      if (step === steps[0]) {
        steps.push(steps.shift()!);
        throw inside(coded('ENOSPC', 'ENOSPC: no space left on device, write'));
      }
    };
    const pauses: number[] = [];
    for (let n = 0; n < 12; n++) {
      assert.equal(await workNext({ ...acme.deps, logger, onStep: failing as never }), 'left');
      const run = (await findRun(control.read, id))!;
      assert.deepEqual([run.state, run.attempts, run.faults], ['open', 0, n + 1]);
      assert.equal(run.fault, 'ENOSPC: no space left on device, write');
      pauses.push((run.retryAt! - acme.clock) / 1000);
      assert.equal(await workNext(acme.deps), 'idle', 'no importer claims it during the pause');
      acme.clock = run.retryAt!;
    }
    assert.deepEqual(pauses.slice(0, 8), [5, 10, 20, 40, 80, 160, 300, 300]);
    assert.match(
      lines[0]!,
      /a fault of the machine interrupted a run; it uses up no attempt, and is tried again in 5 s/,
    );
    assert.equal(await workNext(acme.deps), 'ended');
    const run = (await findRun(control.read, id))!;
    assert.deepEqual([run.state, run.fault, run.faults, run.retryAt], ['done', null, 0, null]);
    assert.ok('ann@acme.test' in (await acme.users()));
  });

  test('what the file causes counts, and the run is given up', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const failing = async () => {
      throw new TypeError('a defect');
    };
    for (let n = 1; n <= 5; n++) assert.equal(await workNext({ ...acme.deps, onStep: failing as never }), 'left');
    assert.equal(await workNext({ ...acme.deps, onStep: failing as never }), 'ended');
    assert.equal((await findRun(control.read, id))!.state, 'failed');
  });

  test('the control database is away when the run is given back: it waits, and takes back its attempt also from the next importer', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    const { logger, lines } = keepingLogger();
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const run = (await claimRun(control.write, 'first', acme.clock, 30_000))!;
    acme.clock += 60_000;
    const next = (await claimRun(control.write, 'second', acme.clock, 30_000))!;
    assert.equal(next.attempts, 2);
    let failures = 1;
    const away = new Proxy(control.write, {
      apply: (target, self, args) => {
        if (failures-- > 0) throw coded('ECONNREFUSED');
        return Reflect.apply(target, self, args);
      },
    });
    const deps = { ...acme.deps, control: { ...control, write: away }, logger };
    await pauseAfterFault(deps, run, coded('ECONNREFUSED'));
    const kept = (await findRun(control.read, id))!;
    assert.deepEqual([kept.state, kept.leaseOwner, kept.attempts], ['running', 'second', 1]);
    assert.match(lines[1]!, /could not give back an interrupted run; will retry in 1 s/);
  });
});

test('pauses grow to five minutes', () => {
  assert.deepEqual([0, 1, 6, 60, 6000].map(pauseAfter), [5_000, 10_000, 300_000, 300_000, 300_000]);
});
