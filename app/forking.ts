/** Forks the processes of a server. One that the system has no room for now is started again later, like one that ended. */
import { ChildProcess, type ForkOptions, fork } from 'node:child_process';

/**
 * As `fork`, but it never throws: a process that could not be started has no pid, and emits `error` and no `exit`. Node.js does that by
 * itself for want of processes or file descriptors, and throws for want of memory.
 */
export function forkProcess(module: URL, options: ForkOptions): ChildProcess {
  try {
    return fork(module, [], options);
  } catch (cause) {
    const none = new ChildProcess();
    process.nextTick(() => none.emit('error', cause));
    return none;
  }
}
