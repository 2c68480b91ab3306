/** One admitted connection as the reception sees it: its turn, and the login or the offence that it ends with. */
import type { Attempt } from './loginpenalties.js';
import type { Offence } from './penalties.js';
import type { Origin, Reception } from './reception.js';
import type { Turn } from './turns.js';

export type GateAttempt = Omit<Attempt, 'source'>;

/** Of one connection. In a worker it asks the process that admitted the connection. */
export interface Gate {
  /** The client's address, also behind a proxy. */
  readonly address: string;
  /** No organization logged in from there for weeks. */
  readonly isStranger: boolean;
  /** Its address has a penalty by now, which ends it unless it has logged in. */
  readonly isClosed: boolean;
  /**
   * Resolves when it is this connection's turn: milliseconds for which the attempt is not checked; 0: it is. Never, once the connection has ended
   * or logged in: a client may send several attempts at once.
   */
  admitAttempt(attempt: GateAttempt): Promise<number>;
  /** The client has logged in. */
  recordLogin(user: string, credential: string): void;
  /** The connection ended without a login; `offence` null: the client did nothing wrong. `user` null: it named none. */
  recordEnd(offence: Offence | null, user: string | null): void;
}

type Judge = Pick<Reception, 'isStranger' | 'isClosed' | 'waitMs' | 'takeTurn' | 'recordLogin' | 'recordEnd'>;

export function createGate(reception: Judge, origin: Origin): Gate {
  let turn: Turn | null = null;
  let hasEnded = false;
  const end = (): void => {
    hasEnded = true;
    turn?.release();
    turn = null;
  };
  return {
    address: origin.address,
    isStranger: reception.isStranger(origin),
    get isClosed() {
      return reception.isClosed(origin);
    },
    async admitAttempt(kind) {
      if (hasEnded) return new Promise(() => {});
      const attempt = { ...kind, source: origin.source };
      const waitMs = reception.waitMs(origin, attempt);
      if (waitMs > 0) return waitMs;
      turn ??= reception.takeTurn(origin, attempt);
      await turn?.granted;
      return reception.waitMs(origin, attempt);
    },
    recordLogin(user, credential) {
      reception.recordLogin(origin, user, credential);
      end();
    },
    recordEnd(offence, user) {
      reception.recordEnd(origin, offence, user);
      // The next one is judged with this one's failures.
      end();
    },
  };
}
