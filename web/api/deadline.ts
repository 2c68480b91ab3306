/** The wait for the answer to a request: it has an end. */
import type { ApiError } from './problem.js';

export const longestMs = 60_000;

/**
 * Ends the wait for work that takes longer, not the work: its result is dropped.
 * @param drop frees a result that came too late. @throws the error of `late`
 */
export async function inTime<T>(
  work: Promise<T>,
  late: () => ApiError,
  drop: (result: T) => void = () => {},
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      work.then(drop, () => {});
      reject(late());
    }, longestMs);
  });
  return Promise.race([work, end]).finally(() => clearTimeout(timer));
}
