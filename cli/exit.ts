/** Exit codes, and the line on standard error that says why a command failed. */
import { CommanderError } from 'commander';
import type { OperationErrorCode } from '../operations/error.js';
import { describeFailure, type Failure, type FailureCode } from '../operations/failure.js';
import { escapeControl, escapeJson, withSchema } from '../operations/format.js';
import { UsageError } from './app.js';
import { paint, type TerminalForm, takesColor } from './color.js';

/** Scripts may rely on these numbers. */
const exitCodes: Readonly<Record<FailureCode | 'ok', number>> = {
  ok: 0,
  failed: 1,
  internal: 1,
  usage: 2,
  not_found: 3,
  refused: 4,
  unavailable: 5,
};

export const exitCodesText = `Exit codes: 0 done · 1 failed, or a problem was found · 2 wrong usage or setting
            3 not found · 4 refused: exists already, in use, or needs --yes
            5 a database, port or lock is not available`;

export interface Ending extends Failure {
  exitCode: number;
  /** The usage and an example, for people. */
  use?: string | null;
}

/** Translates the error of a command; null: nothing failed (help and version end that way too). */
export function describeEnding(error: unknown): Ending | null {
  if (error instanceof CommanderError) return describeUsage(error);
  const failure = describeFailure(error);
  return { exitCode: exitCodes[failure.code], ...failure };
}

function describeUsage(error: CommanderError): Ending | null {
  if (error.exitCode === 0) return null;
  // commander shows the help by itself when a group is called without its command.
  const isHelp = error.code === 'commander.help';
  const message = isHelp ? '' : error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const isUnknown =
    error.code === 'commander.unknownCommand' && !(error instanceof UsageError) && !message.includes('Did you mean');
  const advice = isUnknown ? '; "dropslot help" lists the commands' : '';
  const code: OperationErrorCode = 'usage';
  return {
    exitCode: exitCodes[code],
    code,
    message: `${message}${advice}`,
    stack: null,
    use: error instanceof UsageError ? error.use : null,
  };
}

/** Prints the failure (one line, or JSON for programs) and gives the exit code. */
export function reportEnding(
  error: unknown,
  json: boolean,
  stderr: NodeJS.WritableStream,
  terminal: TerminalForm = { mayColor: false, mayRewrite: false },
): number {
  const found = describeEnding(error);
  if (found === null) return exitCodes.ok;
  const { exitCode, code, message, stack, use = null } = found;
  const value = { error: { code, message, stack: stack ?? undefined } };
  if (json) stderr.write(`${escapeJson(JSON.stringify(withSchema(value)))}\n`);
  // One line: a name from outside in it can't add another.
  else if (message !== '')
    stderr.write(
      `${paint('dropslot:', takesColor(stderr, terminal) ? 'red' : null)} ${escapeControl(use === null ? message : `${message}; ${use}`)}\n`,
    );
  if (!json && stack !== null) stderr.write(`This is a defect of Dropslot. Please report it with:\n${stack}\n`);
  return exitCode;
}
