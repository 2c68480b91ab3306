/** Work that is done again and again until it is stopped, and never twice at once. */

export interface Rounds {
  /** Begins no other round; resolves when the one under way has ended. */
  stop(): Promise<void>;
}

/**
 * Does `work` now, and again the milliseconds after each round that the round asks for. `work` tells of its failures by
 * itself, and never rejects.
 */
export function startRounds(work: (isStopping: () => boolean) => Promise<number>): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let isStopping = false;
  let working = Promise.resolve();
  const begin = () => {
    working = work(() => isStopping).then((pauseMs) => {
      if (!isStopping) timer = setTimeout(begin, pauseMs);
    });
  };
  begin();
  return {
    stop: async () => {
      isStopping = true;
      clearTimeout(timer);
      await working;
    },
  };
}
