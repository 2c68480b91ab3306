/**
 * Moves an installation to another database: copies both databases while servers run, holds them still for the last rows,
 * proves that the copies are equal, and only then refuses every write to the old ones. Sealed files stay where they are.
 */
import { randomUUID } from 'node:crypto';
import type { Half } from '../../db/connection.js';
import { readHead, recordAudit } from '../../db/control/audit.js';
import { readControlMarks } from '../../db/control/pair.js';
import { checkIntegrity } from '../../db/integrity.js';
import { digestTable, fillTable, type Sides } from '../../db/move/fill.js';
import { holdStill, type Still } from '../../db/move/lock.js';
import type { Digest } from '../../db/move/rows.js';
import { acceptWrites, type MoveState, readMoveState, refuseWrites, writeMoveState } from '../../db/move/state.js';
import {
  addReferences,
  dropReferences,
  listCommonTables,
  listReferences,
  type MovedTable,
  type Reference,
  readLastNumbers,
  writeLastNumbers,
} from '../../db/move/tables.js';
import { joinPair, requireFit } from '../../db/pair.js';
import { viewSeal } from '../directoryseal.js';
import { OperationError } from '../error.js';
import { atKeys } from '../keylock.js';
import type { Workplace } from '../workplace.js';
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

export interface MovedTableReport extends Digest {
  database: Half;
  table: string;
}

export interface MoveReport {
  from: string;
  to: string;
  rows: number;
  tables: MovedTableReport[];
  /** How long nothing could be written. */
  heldMs: number;
}

const halves = ['directory', 'control'] as const;
const progressEveryMs = 2000;

/** What a move would copy; nothing is written, and the other database is not opened. */
export async function planMove(
  source: Workplace,
  { name }: Destination,
): Promise<{ from: string; to: string; rows: number }> {
  let rows = 0;
  for (const half of halves) {
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
  return atKeys(source, async () => {
    const sourceState = await readMoveState(source.control.read);
    if (sourceState === null) {
      await joinPair(source);
      await requireFit(source);
    }
    const target = await openTarget(source, destination, sourceState !== null);
    try {
      await onStep('opened');
      requireOneMove(source, sourceState, target.state);
      const moved = sourceState === null ? await copyMarked(source, target, destination, options) : null;
      await onStep('moved');
      await writeMoveState(target.control.write, null);
      await onStep('released');
      const tables = moved?.tables ?? (await listDigests(target));
      const rows = tables.reduce((sum, table) => sum + table.rows, 0);
      return { from: nameDatabase(source.settings), to: destination.name, rows, tables, heldMs: moved?.heldMs ?? 0 };
    } finally {
      await target.close();
    }
  });
}

/** @throws OperationError `refused` when another move than this one was begun with either */
function requireOneMove({ settings }: Workplace, source: MoveState | null, target: MoveState | null): void {
  if (source === null) return;
  if (source.state === 'copying')
    throw new OperationError(
      'refused',
      `${nameDatabase(settings)} is being filled from ${source.other}: repeat "dropslot migrate" with the settings of before`,
    );
  // Killed at its end: the new one is in use, or about to be.
  if (target !== null && (target.state !== 'copying' || target.moveId !== source.moveId))
    throw new OperationError(
      'refused',
      `this installation was moved to ${source.other} already: set "database" to that one`,
    );
}

/** From now on no server starts on the target, until it is complete. */
async function mark(source: Workplace, target: Target): Promise<MoveState> {
  const { control, directory, state: found } = target;
  if (found?.state === 'copying') return found;
  const { pairId } = await readControlMarks(source.control.read);
  const moveId = randomUUID();
  const other = nameDatabase(source.settings);
  const state: MoveState = {
    state: 'copying',
    moveId,
    pairId: pairId!,
    other,
    references: { control: [], directory: [] },
    auditCount: 0,
    at: source.now(),
  };
  await control.write.transaction(async (tx) => {
    await acceptWrites(tx);
    await writeMoveState(tx, state);
  });
  await directory.write.transaction(acceptWrites);
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
  await leaveReferences(target);
  const tables = {
    control: await listCommonTables(source.control.read, target.control.read),
    directory: await listCommonTables(source.directory.read, target.directory.read),
  };
  const progress = showProgress(source.now, onProgress);
  for (const half of halves) {
    const { db: from, close } = await source[half].openMoment();
    try {
      for (const table of tables[half]) await fillTable({ from, to: target[half] }, table, progress('copied'));
    } finally {
      await close();
    }
  }
  await onStep('copied');
  const event = { at: source.now(), org: null, actor: source.actor, action: 'databases.moved' };
  await recordAudit(source.control.write, { ...event, subject: destination.name, detail: { move: state.moveId } });
  onProgress('holding the databases still: uploads wait or fail until the end, and their senders try again');
  const begunAt = performance.now();
  const moved = await holdStill(source, async (still) => {
    await onStep('held');
    const equal = new Map<MovedTable, Digest>();
    for (const half of halves)
      await equalize({ from: still[half], to: target[half] }, tables[half], equal, progress('compared'));
    await restoreReferences(target);
    await onStep('filled');
    const digests = await compareAll(still, target, tables, equal);
    await onStep('verified');
    const { count } = await readHead(still.control);
    await refuseWrites(still.directory);
    await refuseWrites(still.control);
    await writeMoveState(still.control, { ...state, state: 'moved', other: destination.name, auditCount: count });
    return digests;
  });
  return { tables: moved, heldMs: Math.round(performance.now() - begunAt) };
}

/** Rows are copied table by table: until all are there, some refer to rows that are not. */
async function leaveReferences(target: Target): Promise<void> {
  const state = (await readMoveState(target.control.write))!;
  for (const half of halves) {
    const found = await listReferences(target[half].write);
    const isKnown = ({ table, name }: Reference) =>
      state.references[half].some((known) => known.table === table && known.name === name);
    state.references[half] = [...state.references[half], ...found.filter((reference) => !isKnown(reference))];
  }
  await target.control.write.transaction((tx) => writeMoveState(tx, state));
  for (const half of halves) await dropReferences(target[half].write, state.references[half]);
}

/** Each row is checked. */
async function restoreReferences(target: Target): Promise<void> {
  const { references } = (await readMoveState(target.control.write))!;
  for (const half of halves) {
    await target[half].write.transaction((tx) => addReferences(tx, references[half]));
    const complaints = await checkIntegrity(target[half]);
    if (complaints.length > 0)
      throw new OperationError(
        'failed',
        `the copy of the ${half} database is damaged: ${complaints.slice(0, 3).join('; ')}`,
      );
  }
}

/** @param equal gets the tables that were equal already, which need not be read again */
async function equalize(
  sides: Sides,
  tables: readonly MovedTable[],
  equal: Map<MovedTable, Digest>,
  onRows: (rows: number) => void,
): Promise<void> {
  for (const table of tables) {
    const filled = await fillTable(sides, table, onRows);
    if (filled.equal !== null) equal.set(table, filled.equal);
  }
  await sides.to.write.transaction(async (tx) => writeLastNumbers(tx, await readLastNumbers(sides.from, tables)));
}

/** @throws OperationError `failed` that names each table which differs */
async function compareAll(
  still: Still,
  target: Target,
  tables: Record<Half, readonly MovedTable[]>,
  equal: ReadonlyMap<MovedTable, Digest>,
): Promise<MovedTableReport[]> {
  const found: MovedTableReport[] = [];
  const wrong: string[] = [];
  for (const half of halves) {
    for (const table of tables[half]) {
      const known = equal.get(table);
      const expected = known ?? (await digestTable(still[half], table));
      const copied = known ?? (await digestTable(target[half].read, table));
      if (expected.sha256 !== copied.sha256)
        wrong.push(`${table.name} (${expected.rows} rows, ${copied.rows} in the copy)`);
      found.push({ database: half, table: table.name, ...copied });
    }
    const numbers = await Promise.all([still[half], target[half].read].map((db) => readLastNumbers(db, tables[half])));
    if (JSON.stringify(numbers[0]) !== JSON.stringify(numbers[1])) wrong.push(`the last numbers of ${half}`);
  }
  if (wrong.length === 0) return found;
  throw new OperationError('failed', `the copy differs in ${wrong.join(', ')}: nothing was switched; repeat the move`);
}

async function listDigests(target: Target): Promise<MovedTableReport[]> {
  const found: MovedTableReport[] = [];
  for (const half of halves)
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
