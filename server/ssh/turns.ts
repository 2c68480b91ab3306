/** Bounds how many connections of one source have a credential checked that never logged in there: the others wait for their turn. */
import type { Source } from './source.js';

export interface Turn {
  /** Resolves when the connection may have credentials checked; never, if it is released before. */
  granted: Promise<void>;
  /** Called once, when the connection has logged in or has ended. */
  release(): void;
}

export interface Turns {
  take(source: Source): Turn;
}

export function createTurns(mostPerSource: number): Turns {
  const sources = new Map<Source, { held: number; waiting: Set<() => void> }>();
  return {
    take(source) {
      const state = sources.get(source) ?? { held: 0, waiting: new Set() };
      sources.set(source, state);
      let grant = (): void => {};
      const granted = new Promise<void>((resolve) => {
        grant = resolve;
      });
      if (state.held < mostPerSource) {
        state.held++;
        grant();
      } else state.waiting.add(grant);
      return {
        granted,
        release() {
          if (state.waiting.delete(grant)) return;
          const [next] = state.waiting;
          if (next === undefined) state.held--;
          else {
            state.waiting.delete(next);
            next();
          }
          if (state.held === 0) sources.delete(source);
        },
      };
    },
  };
}
