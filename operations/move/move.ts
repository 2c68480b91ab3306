/**
 * Moves an installation to another database: copies both databases while servers run, holds them still for the last rows,
 * proves that the copies are equal, and only then refuses every write to the old ones. Sealed files stay where they are.
 */
import { randomUUID } from 'node:crypto';
import { halfNames, openControl } from '../../db/connection.js';
import { readHead, recordAudit } from '../../db/control/audit.js';
import { acceptPlaces, readBlobPlace, refusePlacesBefore } from '../../db/control/blobplace.js';
import { readControlMarks } from '../../db/control/pair.js';
import { digestTable } from '../../db/move/fill.js';
import { claimDatabase, holdStill } from '../../db/move/lock.js';
import {
  acceptWrites,
  describeMoveState,
  type MoveState,
  readMoveState,
  refuseWrites,
  writeMoveState,
} from '../../db/move/state.js';
import { checkReferences, listCommonTables } from '../../db/move/tables.js';
import { joinPair, requireFit } from '../../db/pair.js';
import { viewSeal } from '../directoryseal.js';
import { OperationError } from '../error.js';
import { atKeys } from '../keylock.js';
import type { Workplace } from '../workplace.js';
import { Copy, forgetCopy, type MovedTableReport } from './copy.js';
import { type Destination, nameDatabase, openTarget, type Target } from './target.js';

/** In their order; a kill after any of them is repaired by repeating the move. */
export const moveSteps = ['opened', 'marked', 'copied', 'held', 'filled', 'verified', 'moved', 'released'] as const;
export type MoveStep = (typeof moveSteps)[number];

export interface MoveOptions {
  /** Users and teams may lie in the clear in PostgreSQL, whose volume the operator has encrypted. */
  isVolumeEncrypted: boolean;
  onProgress: (text: string) => void;
  onStep?: (step: MoveStep) => void | Promise<void>;
}

export interface MoveReport {
  from: string;
  to: string;
  rows: number;
  tables: MovedTableReport[];
  /** How long nothing could be written. */
  heldMs: number;
}

const progressEveryMs = 2000;
const none = { control: [], directory: [] };

/** What a move would copy; nothing is written, and the other database is not opened. */
export async function planMove(
  source: Workplace,
  { name }: Destination,
): Promise<{ from: string; to: string; rows: number }> {
  let rows = 0;
  for (const half of halfNames) {
    const { db, close } = await source[half].openMoment();
    try {
      for (const { name: table } of await listCommonTables(db, db))
        rows += Number((await db(table).count({ rows: '*' }))[0]!.rows);
    } finally {
      await close();
    }
  }
  return { from: nameDatabase(source.settings), to: name, rows };
}

/**
 * Repeat it after a failure or a kill: it goes on with the rows that are there.
 * @param source opened with `evenMoved`
 * @throws OperationError, DatabaseError
 */
export async function moveDatabases(
  source: Workplace,
  destination: Destination,
  options: MoveOptions,
): Promise<MoveReport> {
  const { onStep = () => {} } = options;
  if (source.directory.withheld !== undefined) throw source.directory.withheld;
  if (destination.settings.database !== 'sqlite' && viewSeal(source).state === 'sealed' && !options.isVolumeEncrypted)
    throw new OperationError(
      'refused',
      'directory.db is sealed, and Dropslot cannot seal users and teams on PostgreSQL: encrypt the volume of PostgreSQL, and repeat this with --volume-encrypted',
    );
  return atKeys(source, () =>
    aloneAt(source, async () => {
      const sourceState = await readMoveState(source.control.read);
      if (sourceState === null) {
        await joinPair(source);
        await requireFit(source);
      }
      const target = await openTarget(source, destination, sourceState);
      try {
        await onStep('opened');
        requireOneMove(source, sourceState, target.state);
        const moved = sourceState === null ? await copyMarked(source, target, destination, options) : null;
        await onStep('moved');
        await release(target);
        await onStep('released');
        await forgetCopy(source);
        for (const half of halfNames) await checkReferences(target[half].write);
        const tables = moved?.tables ?? (await listDigests(target));
        const rows = tables.reduce((sum, table) => sum + table.rows, 0);
        return { from: nameDatabase(source.settings), to: destination.name, rows, tables, heldMs: moved?.heldMs ?? 0 };
      } finally {
        await target.close();
      }
    }),
  );
}

/** On PostgreSQL other machines may move the same databases: their notes would be mixed up. */
async function aloneAt<T>({ settings }: Workplace, work: () => Promise<T>): Promise<T> {
  if (settings.database === 'sqlite') return work();
  const control = await openControl({ ...settings, databasePool: 1 }, undefined, false, { evenMoved: true });
  try {
    const claim = await claimDatabase(control);
    if (claim === null)
      throw new OperationError(
        'refused',
        `another "dropslot migrate" works on ${nameDatabase(settings)}: wait for its end`,
      );
    try {
      return await work();
    } finally {
      await claim.release();
    }
  } finally {
    await control.close();
  }
}

/** @throws OperationError `refused` when another move than this one was begun with either */
function requireOneMove({ settings }: Workplace, source: MoveState | null, target: MoveState | null): void {
  if (source === null) return;
  if (source.state === 'copying')
    throw new OperationError(
      'refused',
      `${nameDatabase(settings)} is being filled from ${source.other}: repeat "dropslot migrate" with the settings of before`,
    );
  // Killed at its end: the new one is in use, which `openTarget` has made sure of, or about to be.
  if (target === null || (target.state === 'copying' && target.moveId === source.moveId)) return;
  throw new OperationError(
    'refused',
    `this installation was moved to ${source.other} already: set "database" to that one`,
  );
}

/** The target is in use: the source refuses writes already. */
async function release(target: Target): Promise<void> {
  await target.directory.write.transaction((tx) => acceptWrites(tx));
  await target.control.write.transaction(async (tx) => {
    await acceptWrites(tx);
    const { number } = await readBlobPlace(tx);
    if (number > 0) await refusePlacesBefore(tx, number);
    await writeMoveState(tx, null);
  });
}

/** From now on no server starts on the target, until it is complete. */
async function mark(source: Workplace, target: Target): Promise<MoveState> {
  const { control, directory, state: found } = target;
  await forgetCopy(target);
  const { pairId } = await readControlMarks(source.control.read);
  const moveId = randomUUID();
  const other = nameDatabase(source.settings);
  const state: MoveState = {
    state: 'copying',
    moveId,
    pairId: pairId!,
    other,
    references: found?.state === 'copying' ? found.references : none,
    auditCount: 0,
    at: source.now(),
  };
  await control.write.transaction(async (tx) => {
    await refuseWrites(tx, { exceptFilling: true });
    await acceptPlaces(tx);
    await writeMoveState(tx, state);
  });
  await directory.write.transaction((tx) => refuseWrites(tx, { exceptFilling: true }));
  return state;
}

async function copyMarked(
  source: Workplace,
  target: Target,
  destination: Destination,
  { onProgress, onStep = () => {} }: MoveOptions,
): Promise<{ tables: MovedTableReport[]; heldMs: number }> {
  const state = await mark(source, target);
  await onStep('marked');
  const copy = new Copy(source, target, state.moveId);
  try {
    await copy.copyAll(showProgress(source.now, onProgress));
    await onStep('copied');
    const event = { at: source.now(), org: null, actor: source.actor, action: 'databases.moved' };
    await recordAudit(source.control.write, { ...event, subject: destination.name, detail: { move: state.moveId } });
    onProgress('holding the databases still: uploads wait or fail until the end, and their senders try again');
    let since = performance.now();
    const moved = await holdStill(source, async (still) => {
      since = still.since;
      await onStep('held');
      // Of two moves at once, and of an undo.
      const other = await readMoveState(still.control);
      if (other !== null) throw new OperationError('refused', describeMoveState(other));
      const tables = await copy.copyLast(still);
      await onStep('filled');
      await copy.requireEqual(still);
      await onStep('verified');
      await target.claim.require();
      const { count } = await readHead(still.control);
      await refuseWrites(still.directory);
      await refuseWrites(still.control);
      const ended = { state: 'moved', references: none, other: destination.name, auditCount: count } as const;
      await writeMoveState(still.control, { ...state, ...ended });
      return tables;
    });
    return { tables: moved, heldMs: Math.round(performance.now() - since) };
  } catch (cause) {
    // The servers go on with the old ones, without notes that nobody reads.
    await forgetCopy(source).catch(() => {});
    throw cause;
  } finally {
    copy.stop();
  }
}

async function listDigests(target: Target): Promise<MovedTableReport[]> {
  const found: MovedTableReport[] = [];
  for (const half of halfNames)
    for (const table of await listCommonTables(target[half].read, target[half].read))
      found.push({ database: half, table: table.name, ...(await digestTable(target[half].read, table)) });
  return found;
}

function showProgress(now: () => number, onProgress: (text: string) => void) {
  let last = now();
  let rows = 0;
  return (deed: string) => (more: number) => {
    rows += more;
    if (now() - last < progressEveryMs) return;
    last = now();
    onProgress(`${rows} rows ${deed}`);
  };
}
