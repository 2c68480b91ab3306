/** Bounds the time that a folder may take to answer: the system waits without end for a network share whose server is away. */
import { SourceError } from '../error.js';

export interface Patience {
  /**
   * Does one request to a folder. While one has no answer, no other is made to that folder: each would occupy a thread of this process.
   * @throws SourceError `timeout`
   */
  ask<T>(dir: string, request: () => Promise<T>, ms?: number): Promise<T>;
}

/** One for a process. */
export function createPatience(idleMs: number): Patience {
  const silent = new Set<string>();
  return {
    ask: async (dir, request, ms = idleMs) => {
      if (silent.has(dir))
        throw new SourceError('timeout', `the folder ${dir} still does not answer: is the server of the share away?`);
      const answer = request();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          silent.add(dir);
          const heard = () => void silent.delete(dir);
          answer.then(heard, heard);
          reject(new SourceError('timeout', `the folder ${dir} did not answer for ${ms / 1000} s`));
        }, ms);
      });
      try {
        return await Promise.race([answer, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
