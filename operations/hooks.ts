/** Commands that get events. Only an operator's command line adds them: they run with the rights of the server. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { CommandOptions } from '../events/command/command.js';
import { OperationError } from './error.js';
import { addSubscriber, type CommonOptions, commandKind, readCommon } from './subscribers.js';
import type { Workplace } from './workplace.js';

export interface NewHook extends CommonOptions {
  /** Absolute path. */
  run: string;
  args: readonly string[];
  /** Where it runs; the program's folder without it. */
  folder?: string;
  timeLimitSeconds?: number;
}

/** @returns its id. @throws OperationError `usage`, `not_found` */
export async function addHook(workplace: Workplace, hook: NewHook): Promise<{ id: string }> {
  const row = await readHook(workplace, hook);
  return { id: await addSubscriber(workplace, commandKind, { ...row, secret: null }) };
}

/** Checks a hook; its row. @throws OperationError `usage`, `not_found` */
export async function readHook(workplace: Workplace, hook: NewHook) {
  const { run: program, args, folder, timeLimitSeconds } = hook;
  if (!isAbsolute(program)) throw new OperationError('usage', `--run needs an absolute path, not "${program}"`);
  const isProgram = await stat(program).then(
    (found) => found.isFile(),
    () => false,
  );
  const mayRun = await access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isProgram || !mayRun) throw new OperationError('usage', `${program} is not a program that can be run`);
  if (folder !== undefined && !isAbsolute(folder))
    throw new OperationError('usage', `--folder needs an absolute path, not "${folder}"`);
  const { options: common, ...rest } = await readCommon(workplace, hook);
  const options: CommandOptions = {
    ...{ program, args: [...args] },
    ...(folder !== undefined && { folder }),
    ...(timeLimitSeconds !== undefined && { timeLimitSeconds }),
    ...common,
  };
  return { ...rest, options: { ...options } };
}
