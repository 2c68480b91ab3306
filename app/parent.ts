/** The process that forked this one: this one ends with it, and leaves signals to it. */
import { Worker } from 'node:worker_threads';

/** For a process that obeys the messages of its parent. */
export function followParent(): void {
  // A killed parent sends no message.
  process.on('disconnect', () => process.exit(1));
  // A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group: this process stops when its parent says so.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
}

/** Runs beside code that never returns: it sees that the parent is gone where the process itself can't. */
const watch = `const parent = process.ppid;
setInterval(() => process.ppid === parent || process.kill(process.pid, 'SIGKILL'), 2000);`;

/** As followParent, for a process whose work may hang: a thread ends it when its parent was killed. */
export function followParentEvenHung(): void {
  followParent();
  const resourceLimits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 };
  const thread = new Worker(watch, { eval: true, resourceLimits, env: {} });
  thread.unref();
  // Without the thread, only a hung process outlives its parent.
  thread.on('error', () => {});
}

export function tellParent<Message extends object>(message: Message): void {
  // It may have ended: `disconnect` follows.
  if (process.connected) process.send!(message, () => {});
}
