/** For a process that a test lets reach a step of its work, and no further. */

/** Kills this process when it reaches the step. */
export function dieAt(step: string | undefined): (reached: string) => Promise<void> | undefined {
  return (reached) => {
    if (reached !== step) return undefined;
    process.kill(process.pid, 'SIGKILL');
    // The signal may come a moment later.
    return new Promise(() => {});
  };
}
