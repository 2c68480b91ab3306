/** Places for work of which a process does a bounded number of pieces at a time. */
import { OperationError } from './error.js';

/** Takes a place; the function gives it back, once. null: all are taken. @param busy names of the places that are taken */
export function takePlace(busy: Set<string>, kind: string, most: number): (() => void) | null {
  const place = Array.from({ length: most }, (_, n) => `${kind} ${n}`).find((one) => !busy.has(one));
  if (place === undefined) return null;
  busy.add(place);
  let isOver = false;
  return () => {
    // A second call must not free the place of another one who has it by then.
    if (!isOver) busy.delete(place);
    isOver = true;
  };
}

/** Takes a place of each kind, or none. */
function takePlaces(busy: Set<string>, kinds: readonly (readonly [kind: string, most: number])[]) {
  const taken: (() => void)[] = [];
  const leave = () => {
    for (const one of taken) one();
  };
  for (const [kind, most] of kinds) {
    const place = takePlace(busy, kind, most);
    if (place === null) {
      leave();
      return null;
    }
    taken.push(place);
  }
  return leave;
}

export interface Shares {
  /** At a time, of all organizations. */
  most: number;
  /** At a time, of one organization: it never takes all places. */
  mostOfOrg: number;
}

/** A place for work of an organization, within its share. null: none is free. */
export function takeShare(busy: Set<string>, kind: string, org: string, { most, mostOfOrg }: Shares) {
  return takePlaces(busy, [
    [`${kind} of ${org}`, mostOfOrg],
    [kind, most],
  ]);
}

/**
 * Downloads of the HTTP API, of the console and of links in mails share their places. Each reads a directory, the audit trail or a
 * stored file for as long as its reader takes. The people of an organization have one share, however many they are.
 */
const downloadShares = { most: 24, mostOfOrg: 6, mostOfServer: 12, mostOfAccount: 4 };

export interface Downloader {
  /** null: people of the server. */
  org: string | null;
  /** Of the console. */
  account?: string;
}

/** @throws OperationError `unavailable` */
export function takeDownload(busy: Set<string>, { org, account }: Downloader): () => void {
  const { most, mostOfOrg, mostOfServer, mostOfAccount } = downloadShares;
  const leave = takePlaces(busy, [
    ...(account === undefined ? [] : ([[`download of account ${account}`, mostOfAccount]] as const)),
    // No id of an organization has a blank.
    org === null ? ['download of the server', mostOfServer] : [`download of ${org}`, mostOfOrg],
    ['download', most],
  ]);
  if (leave === null)
    throw new OperationError('unavailable', 'other downloads are under way: try it again when they have ended');
  return leave;
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

/** Gives the place back when the content was read, or its reader has stopped, or never began. */
export function holding<T>(content: AsyncIterable<T>, leave: () => void): AsyncGenerator<T> {
  const read = async function* () {
    try {
      yield* content;
    } finally {
      leave();
    }
  };
  const pieces = read();
  const end = pieces.return.bind(pieces);
  // A generator that has not begun ends without its `finally`.
  return Object.assign(pieces, { return: (value: undefined) => end(value).finally(leave) });
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
