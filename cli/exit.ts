/** Exit codes, and how whatever a command threw becomes one line on standard error. */
import { CommanderError } from 'commander';
import { SettingsError } from '../config/load.js';
import { DatabaseError, type DatabaseErrorCode, describeDatabaseFailure } from '../db/error.js';
import { ImportError } from '../importer/error.js';
import { KeyError } from '../keys/error.js';
import { OperationError, type OperationErrorCode } from '../operations/error.js';
import { escapeText } from '../operations/format.js';
import { ServerError } from '../server/error.js';
import { SpaceError } from '../storage/types.js';

/** What scripts may rely on. */
const exitCodes: Record<OperationErrorCode | 'ok', number> = {
  ok: 0,
  failed: 1,
  usage: 2,
  not_found: 3,
  refused: 4,
  unavailable: 5,
};

export const exitCodesText = `Exit codes: 0 done · 1 failed, or something wrong was found · 2 wrong usage or setting · 3 not found
            4 refused: exists already, in use, needs --yes · 5 a database, port or lock can't be had`;

export interface Ending {
  exitCode: number;
  code: OperationErrorCode | 'internal';
  message: string;
  /** Only for a defect of Dropslot itself: what a bug report needs. */
  stack: string | null;
}

const databaseCodes: Record<DatabaseErrorCode, OperationErrorCode> = {
  unavailable: 'unavailable',
  newer_schema: 'unavailable',
  duplicate: 'refused',
  conflict: 'refused',
  stalled: 'failed',
};

/** Translates an error of any folder; null: nothing went wrong (help and version end that way too). */
export function describeEnding(error: unknown): Ending | null {
  if (error instanceof CommanderError) return describeUsage(error);
  const { message } = error as Error;
  if (error instanceof OperationError) return ending(error.code, message);
  if (error instanceof SettingsError) return ending('usage', message);
  if (error instanceof DatabaseError) return ending(databaseCodes[error.code], message);
  if (error instanceof KeyError || error instanceof ImportError) return ending('failed', message);
  if (error instanceof SpaceError) return ending(error.code === 'not_found' ? 'not_found' : 'failed', message);
  if (error instanceof ServerError) return ending(error.code === 'bad_host_key' ? 'failed' : 'unavailable', message);
  const failure = describeDatabaseFailure(error);
  if (failure !== null) return ending('unavailable', failure);
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) return ending('failed', message);
  return { exitCode: exitCodes.failed, code: 'internal', message, stack: (error as Error).stack ?? null };
}

function ending(code: OperationErrorCode, message: string): Ending {
  return { exitCode: exitCodes[code], code, message, stack: null };
}

function describeUsage(error: CommanderError): Ending | null {
  if (error.exitCode === 0) return null;
  // commander shows the help by itself when a group is called without its command.
  if (error.code === 'commander.help') return ending('usage', '');
  return ending('usage', error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' '));
}

/** Prints the ending (one line, or JSON for programs) and gives the exit code. */
export function reportEnding(error: unknown, json: boolean, stderr: NodeJS.WritableStream): number {
  const found = describeEnding(error);
  if (found === null) return exitCodes.ok;
  const { exitCode, code, message, stack } = found;
  if (json) stderr.write(`${JSON.stringify({ error: { code, message, stack: stack ?? undefined } })}\n`);
  else if (message !== '') stderr.write(`dropslot: ${escapeText(message)}\n`);
  if (!json && stack !== null) stderr.write(`This is a defect of Dropslot. Please report it with:\n${stack}\n`);
  return exitCode;
}
