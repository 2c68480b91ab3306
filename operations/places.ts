/** Places for work of which a process does a bounded number of pieces at a time. */
import { OperationError } from './error.js';

/** Takes a place; the function gives it back. null: all are taken. @param busy names of the places that are taken */
export function takePlace(busy: Set<string>, kind: string, most: number): (() => void) | null {
  const place = Array.from({ length: most }, (_, n) => `${kind} ${n}`).find((one) => !busy.has(one));
  if (place === undefined) return null;
  busy.add(place);
  return () => void busy.delete(place);
}

export interface Shares {
  /** At a time, of all organizations. */
  most: number;
  /** At a time, of one organization: it never takes all places. */
  mostOfOrg: number;
}

/** Downloads of the HTTP API: each reads a directory or a stored file for as long as its reader takes. */
const downloadShares: Shares = { most: 20, mostOfOrg: 5 };

/** @throws OperationError `unavailable` */
export function takeDownload(busy: Set<string>, org: string): () => void {
  const leave = takeShare(busy, 'download', org, downloadShares);
  if (leave === null)
    throw new OperationError('unavailable', 'other downloads are under way: try it again when they have ended');
  return leave;
}

/** A place for work of an organization, within its share. null: none is free. */
export function takeShare(busy: Set<string>, kind: string, org: string, { most, mostOfOrg }: Shares) {
  const ofOrg = takePlace(busy, `${kind} of ${org}`, mostOfOrg);
  const ofAll = ofOrg && takePlace(busy, kind, most);
  if (ofOrg === null || ofAll === null) {
    ofOrg?.();
    return null;
  }
  return () => {
    ofAll();
    ofOrg();
  };
}

/** Work of which the process does one piece at a time: it reads all there is. @throws OperationError `unavailable`, those of `work` */
export async function inOnePlace<T>(busy: Set<string>, kind: string, work: () => Promise<T>): Promise<T> {
  const leave = takePlace(busy, kind, 1);
  if (leave === null) throw new OperationError('unavailable', `another ${kind} is under way: try it again later`);
  try {
    return await work();
  } finally {
    leave();
  }
}

/** Gives the place back when the content was read, or its reader has stopped. */
export async function* holding<T>(content: AsyncIterable<T>, leave: () => void): AsyncGenerator<T> {
  try {
    yield* content;
  } finally {
    leave();
  }
}

/** Work that is done one piece after the other: each organization that waits gets its turn after the others had theirs. */
export interface Turns {
  /**
   * Waits for a turn; the function ends it.
   * @throws OperationError `unavailable` when too many wait already, of the organization or of all, or the wait is too long
   */
  wait(org: string): Promise<() => void>;
}

export interface TurnLimits {
  /** Of one organization. */
  mostWaitingOfOrg: number;
  mostWaiting: number;
  longestMs: number;
  /** Of the error. */
  message: string;
}

interface Waiting {
  org: string;
  begin: () => void;
}

export function createTurns({ mostWaitingOfOrg, mostWaiting, longestMs, message }: TurnLimits): Turns {
  let queue: Waiting[] = [];
  let isTaken = false;
  /** The organizations in the order of their last turns, the longest ago first. */
  let served: string[] = [];
  const endTurn = () => {
    isTaken = false;
    const turnOf = ({ org }: Waiting) => served.indexOf(org);
    const next = queue.reduce<Waiting | undefined>(
      (best, one) => (best === undefined || turnOf(one) < turnOf(best) ? one : best),
      undefined,
    );
    if (next === undefined) served = [];
    else begin(next);
  };
  const begin = (one: Waiting) => {
    queue = queue.filter((other) => other !== one);
    served = [...served.filter((org) => org !== one.org), one.org];
    isTaken = true;
    one.begin();
  };
  /** A turn is ended once, however often its function is called. */
  const ending = () => {
    let isOver = false;
    return () => {
      if (!isOver) endTurn();
      isOver = true;
    };
  };
  return {
    wait: (org) =>
      new Promise((resolve, reject) => {
        const refuse = () => reject(new OperationError('unavailable', message));
        if (
          isTaken &&
          (queue.length >= mostWaiting || queue.filter((one) => one.org === org).length >= mostWaitingOfOrg)
        )
          return refuse();
        const timer = setTimeout(() => {
          queue = queue.filter((other) => other !== waiting);
          refuse();
        }, longestMs);
        const waiting = {
          org,
          begin: () => {
            clearTimeout(timer);
            resolve(ending());
          },
        };
        queue.push(waiting);
        if (!isTaken) begin(waiting);
      }),
  };
}

/** The bounds that the HTTP API, SCIM and the console of one process share. */
export interface SharedWork {
  /** Names of the work that is under way. */
  busy: Set<string>;
  /** Checks of files: each uses a core and, for its file, memory. */
  checks: Turns;
}

/** Files that were sent to be checked are in memory. */
export const checkShares: Shares = { most: 4, mostOfOrg: 2 };

export function createSharedWork(): SharedWork {
  return {
    busy: new Set(),
    checks: createTurns({
      ...{ mostWaitingOfOrg: 2, mostWaiting: 8, longestMs: 25_000 },
      message: 'other files are checked now: try it again in some seconds',
    }),
  };
}
