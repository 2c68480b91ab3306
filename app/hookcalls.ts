/**
 * Import hooks that are functions of the program that embeds the server: its process calls them, on messages of the processes of
 * the importer, since a function can't be sent to another process.
 */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Settings } from '../config/settings.js';
import { ImportError } from '../importer/error.js';
import { mapEach } from '../importer/hooks/eachrow.js';
import type { ImportHooks } from '../importer/hooks/hooks.js';
import { findHookProblem, type HookSource, hookNames, type LoadedHooks } from '../importer/hooks/load.js';
import type { RowMapper } from '../importer/read/maprows.js';
import { OperationError } from '../operations/error.js';

/** The hooks, as another process needs to know them. */
export interface HooksInfo {
  names: readonly string[];
  digest: string;
}

export interface ProgramHooks {
  info: HooksInfo;
  /** Answers the calls of a process. */
  serve(child: ChildProcess): void;
}

/** A call, from the process that imports; and its answer, one of `value` and `error`. */
export type HookCall = { type: 'hook'; call: number; name: string; value: unknown };
export type HookAnswer = { type: 'hooked'; call: number; value?: unknown; error?: string };

type MapRowsArguments = Parameters<RowMapper['map']>;

/**
 * @param version changes where a function depends on anything but its own text: rows that another version mapped are read again.
 * @throws OperationError `usage` when these are no hooks
 */
export function createProgramHooks(hooks: ImportHooks & { version?: string }): ProgramHooks {
  const { version = '' } = hooks;
  const given = readFunctions(hooks);
  const problem =
    typeof version === 'string' ? findHookProblem(given, ['it has', 'its']) : 'its "version" is not a text';
  if (problem !== null) throw new OperationError('usage', `the option importHooks can't be used: ${problem}`);
  const { mapRow, ...others } = given as ImportHooks;
  const functions = new Map<string, (value: unknown) => unknown>();
  // As methods of their object, which may be one of a class.
  for (const [name, hook] of Object.entries(others) as [string, (value: unknown) => unknown][])
    functions.set(name, async (value) => toPlain(await hook.call(hooks, value)));
  if (mapRow !== undefined) {
    // Its answers are texts already.
    const mapRows = mapEach((row) => mapRow.call(hooks, row));
    functions.set('mapRow', (value) => mapRows(...(value as MapRowsArguments)));
  }
  const digest = createHash('sha256')
    .update(JSON.stringify(['functions', version, String(mapRow)]))
    .digest('hex');
  return {
    info: { names: [...functions.keys()], digest },
    serve: (child) => {
      child.on('message', (message: { type: string }) => {
        if (message.type !== 'hook') return;
        const { call, name, value } = message as HookCall;
        void answer(functions.get(name), value).then((result) => {
          // A process that has ended has no channel.
          if (child.connected) child.send({ type: 'hooked', call, ...result } satisfies HookAnswer, () => {});
        });
      });
    },
  };
}

/** All that a plain object has, since another name is a mistake; of an object of a class its hooks. */
function readFunctions(hooks: ImportHooks): Record<string, unknown> {
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(hooks));
  const all = isPlain ? Object.entries(hooks) : hookNames.map((name) => [name, hooks[name]]);
  return Object.fromEntries(all.filter(([name, hook]) => name !== 'version' && hook !== undefined));
}

async function answer(hook: ((value: unknown) => unknown) | undefined, value: unknown): Promise<Partial<HookAnswer>> {
  try {
    return { value: await hook?.(value) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Only JSON passes; a function that returns anything else gives a wrong answer. */
function toPlain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value) ?? 'null');
}

export interface RemoteHooks {
  source: HookSource;
  onAnswer(answer: HookAnswer): void;
}

/** In the process that imports. @param send a message to the program */
export function createRemoteHooks(
  { names, digest }: HooksInfo,
  { importHookSeconds }: Pick<Settings, 'importHookSeconds'>,
  send: (call: HookCall) => void,
): RemoteHooks {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let last = 0;
  const ask = (name: string) => (value: unknown) =>
    new Promise<never>((resolve, reject) => {
      const call = ++last;
      const settle = () => {
        clearTimeout(timer);
        waiting.delete(call);
      };
      const timer = setTimeout(() => {
        settle();
        reject(failed(name, `no answer within ${importHookSeconds} s`));
      }, importHookSeconds * 1000);
      waiting.set(call, {
        resolve: (result) => {
          settle();
          resolve(result as never);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      send({ type: 'hook', call, name, value });
    });
  const mapRows: RowMapper['map'] = (...rows) => ask('mapRow')(rows);
  const hooks: LoadedHooks = {
    ...Object.fromEntries(names.filter((name) => name !== 'mapRow').map((name) => [name, ask(name)])),
    ...(names.includes('mapRow') && { mapRows }),
    ...{ digest, origin },
  };
  return {
    source: async () => hooks,
    onAnswer: ({ call, value, error }) => {
      if (error === undefined) waiting.get(call)?.resolve(value);
      else waiting.get(call)?.reject(new Error(error));
    },
  };
}

const origin = 'the function of the program that embeds Dropslot';

/** The run is tried again, as after any hook that fails. */
function failed(name: string, reason: string): ImportError {
  return new ImportError('hooks', `the import hook ${name} failed: ${reason}. Correct ${origin}`);
}
