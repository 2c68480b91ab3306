/** Dumps PostgreSQL's schemas with `pg_dump`, of the snapshot that the sealed files are copied for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { childEnvironment } from '../../config/environment.js';
import { controlSchema, directorySchema } from '../../db/connection.js';
import { OperationError } from '../error.js';
import { syncFile } from './target.js';

/** @throws OperationError `failed` with the last line of pg_dump, `unavailable` when it can't be run */
export async function dumpPostgres(program: string, url: string, snapshot: string, file: string): Promise<void> {
  // Every user of this machine can see the arguments of a process.
  const { password, target } = splitPassword(url);
  const schemas = [controlSchema, directorySchema].map((schema) => `--schema=${schema}`);
  const args = ['--format=custom', ...schemas, `--snapshot=${snapshot}`, `--file=${file}`, `--dbname=${target}`];
  const dump = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: childEnvironment(password === '' ? {} : { PGPASSWORD: password }),
  });
  let said = '';
  dump.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const [code] = (await once(dump, 'close').catch((cause: Error) => {
    throw new OperationError(
      'unavailable',
      `can't run ${program} (${cause.message}): install PostgreSQL's client programs, or name pg_dump with --pg-dump`,
    );
  })) as [number | null];
  if (code !== 0) throw new OperationError('failed', `${program} failed: ${said.trim().split('\n').at(-1)}`);
  await syncFile(file);
}

function splitPassword(url: string): { target: string; password: string } {
  const parsed = new URL(url);
  const password = decodeURIComponent(parsed.password);
  parsed.password = '';
  return { target: parsed.href, password };
}
