/** Whatever a command throws becomes an exit code and one line. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { CommanderError } from 'commander';
import { describeEnding, reportEnding } from '../../cli/exit.js';
import { SettingsError } from '../../config/load.js';
import { DatabaseError } from '../../db/error.js';
import { KeyError } from '../../keys/error.js';
import { OperationError } from '../../operations/error.js';
import { ServerError } from '../../server/error.js';
import { SpaceError } from '../../storage/types.js';

const endings: [Error, number][] = [
  [new OperationError('failed', 'no'), 1],
  [new SettingsError('no'), 2],
  [new CommanderError(1, 'commander.unknownOption', "error: unknown option '--x'"), 2],
  [new OperationError('not_found', 'no'), 3],
  [new SpaceError('not_found', 'no'), 3],
  [new SpaceError('damaged', 'no'), 1],
  [new DatabaseError('duplicate', 'no'), 4],
  [new OperationError('refused', 'no'), 4],
  [new DatabaseError('newer_schema', 'no'), 5],
  [new ServerError('port_in_use', 'no'), 5],
  [new KeyError('malformed', 'no'), 1],
  [Object.assign(new Error('EACCES: permission denied'), { syscall: 'open', code: 'EACCES' }), 1],
  [Object.assign(new Error('insert into users … - SQLITE_FULL: disk is full'), { code: 'SQLITE_FULL' }), 5],
  [Object.assign(new Error('terminating connection'), { code: '57P01' }), 5],
];

for (const [error, code] of endings) {
  test(`${error.name} "${error.message}" ends with ${code}`, () => {
    const found = describeEnding(error)!;
    assert.deepEqual([found.exitCode, found.stack], [code, null]);
  });
}

test('a statement, which may hold personal data, is never printed', () => {
  const error = new Error("insert into users values ('jane@acme.test') - SQLITE_IOERR: disk I/O error");
  assert.equal(
    describeEnding(Object.assign(error, { code: 'SQLITE_IOERR' }))!.message,
    'the database failed: SQLITE_IOERR: disk I/O error',
  );
});

test('help and version are no failure', () => {
  assert.equal(describeEnding(new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)')), null);
});

test('a defect shows its stack, in JSON too', () => {
  const stderr = new PassThrough();
  assert.equal(reportEnding(new TypeError('x is not a function'), true, stderr), 1);
  const { error } = JSON.parse(stderr.read().toString());
  assert.deepEqual([error.code, error.message], ['internal', 'x is not a function']);
  assert.match(error.stack, /exit\.test/);
});

test('several lines of advice become one', () => {
  const error = new CommanderError(1, 'commander.unknownCommand', "error: unknown command 'org'\n(Did you mean orgs?)");
  assert.equal(describeEnding(error)!.message, "unknown command 'org' (Did you mean orgs?)");
});
