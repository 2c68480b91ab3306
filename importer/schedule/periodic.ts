/** Repeats work in rounds until it is stopped: the next round begins a pause after the one before has ended. */

export interface Rounds {
  /** Begins no further round; resolves when the current one has ended. */
  stop(): Promise<void>;
}

/**
 * Does `work` after `firstPauseMs`, and again after the pause that each round returns, in ms. `work` logs its failures
 * itself, and never rejects.
 */
export function startRounds(work: (isStopping: () => boolean) => Promise<number>, firstPauseMs = 0): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let isStopping = false;
  let working = Promise.resolve();
  const begin = () => {
    working = work(() => isStopping).then((pauseMs) => {
      if (!isStopping) timer = setTimeout(begin, pauseMs);
    });
  };
  if (firstPauseMs === 0) begin();
  else timer = setTimeout(begin, firstPauseMs);
  return {
    stop: async () => {
      isStopping = true;
      clearTimeout(timer);
      await working;
    },
  };
}
