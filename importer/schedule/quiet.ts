/** When a client seems to have sent all that belongs together: teams and users come one after the other. */

/** Files that come within this time of each other are taken together. */
const quietMs = 2_000;
/** A client that goes on sending is not waited for any longer. */
const longestWaitMs = 30_000;

/** @param came when the first and the last of the files came, in ms. */
export function isSettled(came: { oldestAt: number; newestAt: number }, now: number): boolean {
  return now - came.newestAt >= quietMs || now - came.oldestAt >= longestWaitMs;
}
