/**
 * Ends this process when a hook keeps its thread for longer than `importHookSeconds`: in a command, where no server watches over
 * it. A thread of its own watches, since the thread that a hook keeps runs no timer.
 */
import { Worker } from 'node:worker_threads';
import type { Settings } from '../../config/settings.js';
import type { ImportHooks } from './hooks.js';
import { hookNames, type WrapHook } from './load.js';

/** A hook that waits without keeping the thread is ended by its own timer first. */
const marginMs = 1_000;
const lookEveryMs = 250;

/** Looks are counted, not time: a process or a machine that stood still has made none. */
const program = `
const { workerData: { state, messages, looks, everyMs } } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const cells = new Int32Array(state);
let last = [0, 0];
let seen = 0;
setInterval(() => {
  const now = [Atomics.load(cells, 0), Atomics.load(cells, 2)];
  seen = now[0] !== 0 && now[0] === last[0] && now[1] === last[1] ? seen + 1 : 0;
  last = now;
  if (seen < looks) return;
  try { writeSync(2, messages[Atomics.load(cells, 1)] + '\\n'); } catch {}
  process.kill(process.pid, 'SIGKILL');
}, everyMs);
`;

/**
 * Gives the wrapper of the hooks that are watched. The thread begins with the first call, and does not keep the process. Shared with
 * it: the number of the call that is under way, its hook, and a count that grows while this thread is free.
 */
export function watchHooks({ importHookSeconds }: Pick<Settings, 'importHookSeconds'>): WrapHook {
  const cells = new Int32Array(new SharedArrayBuffer(12));
  let thread: Worker | null = null;
  let calls = 0;
  const startOnce = () => {
    if (thread !== null) return;
    thread = start(cells.buffer, importHookSeconds);
    setInterval(() => Atomics.add(cells, 2, 1), lookEveryMs).unref();
  };
  const begin = (name: keyof ImportHooks): number => {
    startOnce();
    // 0 is for no call; after 2³¹ calls the numbers begin again.
    calls = calls === 0x7fff_ffff ? 1 : calls + 1;
    Atomics.store(cells, 1, hookNames.indexOf(name));
    Atomics.store(cells, 0, calls);
    return calls;
  };
  // Of calls that overlap, the last one is watched.
  const end = (call: number) => void Atomics.compareExchange(cells, 0, call, 0);
  return (name, hook) =>
    (...args) => {
      const call = begin(name);
      let result: ReturnType<typeof hook> | undefined;
      try {
        result = hook(...args);
      } finally {
        if (!(result instanceof Promise)) end(call);
      }
      if (result instanceof Promise) endLater(result, () => end(call), importHookSeconds);
      return result!;
    };
}

/** A call that its timer has ended is over, though its function may wait on: other work that keeps the thread is not its fault. */
function endLater(call: Promise<unknown>, end: () => void, seconds: number): void {
  const timer = setTimeout(end, seconds * 1000).unref();
  const settle = () => {
    clearTimeout(timer);
    end();
  };
  call.then(settle, settle);
}

function start(state: ArrayBufferLike, seconds: number): Worker {
  const messages = hookNames.map((name) => {
    const effect = name === 'afterApply' ? 'The run remains applied.' : 'This process applied nothing of the file.';
    return `dropslot: the import hook ${name} did not return within ${seconds} s (importHookSeconds): this process ends. ${effect} Correct the file of importHooks`;
  });
  const looks = Math.ceil((seconds * 1000 + marginMs) / lookEveryMs);
  const workerData = { state, messages, looks, everyMs: lookEveryMs };
  const thread = new Worker(program, { eval: true, workerData });
  thread.unref();
  return thread;
}
