/** The process that forked this one: this one ends with it, and leaves signals to it. */

/** For a process that obeys the messages of its parent. */
export function followParent(): void {
  // A killed parent sends no message.
  process.on('disconnect', () => process.exit(1));
  // A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group: this process stops when its parent says so.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
}

export function tellParent<Message extends object>(message: Message): void {
  // It may have ended: `disconnect` follows.
  if (process.connected) process.send!(message, () => {});
}
