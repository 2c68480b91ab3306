/** Dumps PostgreSQL's schemas with `pg_dump`, of the snapshot that the sealed files are copied for, and restores them with `pg_restore`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { childEnvironment } from '../../config/environment.js';
import { controlSchema, directorySchema } from '../../db/connection.js';
import { forWriting } from '../../db/postgres/hosts.js';
import { OperationError } from '../error.js';
import { syncFile } from './target.js';

/** @throws OperationError `failed` with the last line of pg_dump, `unavailable` when it can't be run */
export async function dumpPostgres(program: string, url: string, snapshot: string, file: string): Promise<void> {
  // Every user of this machine can see the arguments of a process.
  const { password, target } = splitPassword(url);
  const schemas = [controlSchema, directorySchema].map((schema) => `--schema=${schema}`);
  const args = ['--format=custom', ...schemas, `--snapshot=${snapshot}`, `--file=${file}`, `--dbname=${target}`];
  await runProgram(program, args, password, 'name pg_dump with --pg-dump or the setting pgDump');
  await syncFile(file);
}

/** Has `pg_restore` read a dump to its end: its complaint, or nothing. Without `pg_restore` beside `pg_dump` nothing is read. */
export async function verifyDump(pgDump: string, file: string): Promise<string[]> {
  try {
    await runProgram(restorerOf(pgDump), ['--file=/dev/null', file], '', '');
    return [];
  } catch (error) {
    if (error instanceof OperationError && error.code === 'failed') return [`database.dump: ${error.message}`];
    if (error instanceof OperationError) return [];
    throw error;
  }
}

/** Restores a dump into a database that has none of its schemas. @throws OperationError `failed`, `unavailable` */
export async function restoreDump(pgDump: string, file: string, url: string): Promise<void> {
  const { password, target } = splitPassword(url);
  const args = ['--exit-on-error', '--single-transaction', '--no-owner', '--no-privileges', `--dbname=${target}`, file];
  await runProgram(restorerOf(pgDump), args, password, 'name pg_dump, which it is beside, with the setting pgDump');
}

/** `pg_restore` is beside `pg_dump`, and of its version. */
function restorerOf(pgDump: string): string {
  return pgDump.replace(/pg_dump([^/]*)$/, 'pg_restore$1');
}

async function runProgram(program: string, args: readonly string[], password: string, advice: string): Promise<void> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: childEnvironment(password === '' ? {} : { PGPASSWORD: password }),
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const [code] = (await once(child, 'close').catch((cause: Error) => {
    throw new OperationError(
      'unavailable',
      `can't run ${program} (${cause.message}): install PostgreSQL's client programs, or ${advice}`,
    );
  })) as [number | null];
  if (code !== 0) throw new OperationError('failed', `${program} failed: ${findReason(said)}`);
}

/** The last line that reports an error: the statement that failed may follow it. */
function findReason(said: string): string {
  const lines = said.trim().split('\n');
  return lines.findLast((line) => /\berror:/i.test(line)) ?? lines.at(-1)!;
}

/** A database as messages and notes name it. */
export function describeDatabase(url: string): string {
  return splitPassword(url).target;
}

function splitPassword(url: string): { target: string; password: string } {
  const [, begin, password = '', end] = /^(\w+:\/\/[^:@/?#]*)(?::([^@/?#]*))?(@?.*)$/s.exec(forWriting(url))!;
  return { target: `${begin}${end}`, password: decodeURIComponent(password) };
}
