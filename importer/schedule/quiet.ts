/** Decides when a client has probably uploaded all files that belong together: it sends teams and users one by one. */

/** Files that arrive within this time of each other are imported together. */
const quietMs = 2_000;
/** The longest wait for a client that continues to upload. */
const longestWaitMs = 30_000;

/** @param came when the first and the last of the files arrived, in ms. */
export function isSettled(came: { oldestAt: number; newestAt: number }, now: number): boolean {
  return now - came.newestAt >= quietMs || now - came.oldestAt >= longestWaitMs;
}
