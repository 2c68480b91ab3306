/** Calls the import hooks that decide about a file or a plan: within their time, and with a checked answer. */
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { describe, refuse } from '../codes.js';
import { ImportError } from '../error.js';
import { oneLine } from '../outside.js';
import type { HoldReason, Refusal } from '../types.js';
import type { HookFile, HookPlan, HookRun } from './hooks.js';
import { findHooks, type HookDeps, type LoadedHooks } from './load.js';

type Limits = Pick<Settings, 'importHookSeconds'>;

/** A longer reason is cut. */
const mostReasonLength = 500;

/** null: the file may be read. @throws ImportError `hooks` where the hook fails. */
export async function askBeforeImport(
  hooks: LoadedHooks | null,
  limits: Limits,
  file: HookFile,
): Promise<Refusal | null> {
  if (hooks?.beforeImport === undefined) return null;
  const answer = await callHook('beforeImport', hooks, limits, async () => hooks.beforeImport!(file));
  const reason = readReason('beforeImport', 'refuse', answer);
  return reason === null ? null : refuse('hook_refused', { reason });
}

/** Empty: the plan may be applied. @throws ImportError `hooks` where the hook fails. */
export async function askBeforeApply(hooks: LoadedHooks | null, limits: Limits, plan: HookPlan): Promise<HoldReason[]> {
  if (hooks?.beforeApply === undefined) return [];
  const answer = await callHook('beforeApply', hooks, limits, async () => hooks.beforeApply!(plan));
  const reason = readReason('beforeApply', 'hold', answer);
  if (reason === null) return [];
  const message = describe('hook_hold', { reason });
  return [{ code: 'hook_hold', field: null, count: 0, of: 0, limit: '0', message }];
}

/** A failure is logged: the run is over. */
export async function tellAfterApply(
  deps: HookDeps & { settings: Limits; logger: Logger },
  run: HookRun,
): Promise<void> {
  try {
    const hooks = await findHooks(deps);
    if (hooks?.afterApply !== undefined)
      await callHook('afterApply', hooks, deps.settings, async () => hooks.afterApply!(run));
  } catch (error) {
    deps.logger.error('an import hook failed after its run was applied; the run is not affected', {
      ...{ org: run.org, run: run.run },
      reason: (error as Error).message,
    });
  }
}

/** A hook that never gives the processor back is ended with the process, as a file that hangs. */
async function callHook(
  name: string,
  { origin }: LoadedHooks,
  { importHookSeconds }: Limits,
  call: () => Promise<unknown>,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${importHookSeconds} s`)), importHookSeconds * 1000);
  });
  try {
    return await Promise.race([call(), late]);
  } catch (cause) {
    const reason = oneLine(cause instanceof Error ? cause.message : String(cause));
    throw new ImportError('hooks', `the import hook ${name} failed: ${reason}. Correct ${origin}`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** null: the hook has no objection. */
function readReason(name: string, key: 'refuse' | 'hold', answer: unknown): string | null {
  if (answer === undefined || answer === null) return null;
  const reason: unknown = typeof answer === 'object' ? (answer as Record<string, unknown>)[key] : undefined;
  if (typeof reason !== 'string' || reason.trim() === '')
    throw new ImportError('hooks', `the import hook ${name} must return nothing or { ${key}: 'a reason' }`);
  const text = oneLine(reason.trim()).slice(0, mostReasonLength);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
