/** Declares a request's handler and its context, and owns the order in which requests run. */
import type { Intake } from '../../intake/types.js';
import type { Space } from '../../storage/types.js';
import type { PacketReader } from './codec.js';
import type { Handle, HandleTable } from './handles.js';
import type { Reply } from './reply.js';
import type { TaskLock } from './tasklock.js';

/** Bytes and files that a session has transferred, for the log. */
export interface Tally {
  bytesReceived: number;
  bytesSent: number;
  filesReceived: number;
  filesSent: number;
}

/** The state that the handlers of one session share. */
export interface Context {
  readonly space: Space;
  readonly intake: Intake;
  readonly handles: HandleTable;
  /** Orders the requests that name paths. */
  readonly paths: TaskLock;
  readonly tally: Tally;
  readonly now: () => number;
  /** Whether everything that changes anything is refused. */
  readonly isReadOnly: boolean;
  /** The session was ended: long operations should stop. */
  readonly isAborted: () => boolean;
  /** Aborted when no one waits for the content of files any more. */
  readonly left: AbortSignal;
}

export interface Handler<A> {
  /** Reads the request's arguments, at once when it arrives. */
  read(packet: PacketReader, context: Context): A;
  /** Executes the request in its turn. Errors become a status. */
  run(context: Context, args: A, id: number): Promise<Reply>;
}

/** Runs a task when the requests before it, as far as they matter to it, are done. */
export type Order<A> = (context: Context, args: A, task: () => Promise<Reply>) => Promise<Reply>;

/**
 * Clients send CLOSE and, without waiting for its answer, STAT or RENAME of the same name. So requests that name paths
 * run one after the other, and after every CLOSE that came before them. CLOSEs wait for the paths before them only, so
 * that many of them can share one commit.
 */
export const byPath: Order<unknown> = (context, _args, task) => context.paths.exclusive(task);

export const byClose: Order<{ handle: Handle }> = (context, { handle }, task) =>
  context.paths.shared(() => handle.lock.exclusive(task));

export const byHandle: Order<{ handle: Handle }> = (_context, { handle }, task) => handle.lock.exclusive(task);

/**
 * Takes both locks when the request arrives, so that two requests never wait for each other: the first on one handle is
 * the first on the other.
 */
export const byBoth: Order<{ from: Handle; to: Handle }> = (_context, { from, to }, task) => {
  // Uploads of one path share their lock.
  if (from.lock === to.lock) return from.lock.exclusive(task);
  let release!: () => void;
  const done = new Promise<void>((resolve) => {
    release = resolve;
  });
  const turn = new Promise<void>((begin) => {
    void from.lock.exclusive(() => {
      begin();
      return done;
    });
  });
  return to.lock.exclusive(() => turn.then(task)).finally(release);
};

/** Runs without waiting. */
export const atOnce: Order<unknown> = (_context, _args, task) => task();

/** One row of the tables of requests and of extensions. */
export interface Request<A> {
  readonly name: string;
  /** Whether it changes anything: such requests are refused in a read-only session. */
  readonly writes: boolean | ((args: A) => boolean);
  /** Whether it reads an organization's data: such requests are refused in a session that may upload only. */
  readonly reads?: boolean | ((args: A) => boolean);
  readonly order: Order<A>;
  readonly handler: Handler<A>;
  /** Bytes of memory that it or its answer takes, where they are many: they count before it runs. */
  readonly costBytes?: (args: A) => number;
}

/** A row whose arguments only its own handler knows. */
export type AnyRequest = Request<unknown>;

export function changesAnything<A>(request: Request<A>, args: A): boolean {
  return typeof request.writes === 'boolean' ? request.writes : request.writes(args);
}

export function readsAnything<A>({ reads = false }: Request<A>, args: A): boolean {
  return typeof reads === 'boolean' ? reads : reads(args);
}
