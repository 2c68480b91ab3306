/**
 * Copies the rows of an installation into another database: all of them while servers work, then those that changed meanwhile, some
 * times over, and the last few while nothing can be written.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Half, halfNames, type Queryable } from '../../db/connection.js';
import { checkIntegrity } from '../../db/integrity.js';
import {
  beginChanges,
  type ChangedKeys,
  endChanges,
  forgetChanges,
  readChanges,
  renewChanges,
} from '../../db/move/changes.js';
import { fillRows, fillTable } from '../../db/move/fill.js';
import type { Still } from '../../db/move/lock.js';
import type { Digest, Key, RowDigest } from '../../db/move/rows.js';
import { readMoveState, writeMoveState } from '../../db/move/state.js';
import {
  addReferences,
  dropReferences,
  type LastNumber,
  listCommonTables,
  listReferences,
  listTables,
  type MovedTable,
  type Reference,
  readLastNumbers,
  tryReferences,
  writeLastNumbers,
} from '../../db/move/tables.js';
import { liftTimeLimits, limitLockWait } from '../../db/postgres/limits.js';
import { repeatContended } from '../../db/postgres/retry.js';
import { serverOf } from '../../db/postgres/server.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import type { Target } from './target.js';

/** So few changes are left to the time in which nothing can be written. */
const fewChanges = 500;
const mostRounds = 10;
/** The server removes notes that nobody has renewed for a much longer time (app/movewatch.ts). */
const renewEveryMs = 30_000;

export interface MovedTableReport extends Digest {
  database: Half;
  table: string;
}

type OnRows = (rows: number) => void;

/** One half on its way. */
interface Part {
  half: Half;
  tables: readonly MovedTable[];
  /** All that the source said about them: a newer version that starts meanwhile may change them. */
  shape: string;
  digests: Map<string, RowDigest>;
  /** The last numbers that the source has given out, as the target has them. */
  numbers: readonly LastNumber[];
  /** Tables whose notes are known to be incomplete: they are compared as a whole. */
  doubtful: Set<string>;
  /** Written in the comparison of all rows, and not read again yet. */
  unread: Map<string, Map<string, Key>>;
  /** Of the source. A fail-over may have lost commits that were copied, and are in no note. */
  server: string;
}

export class Copy {
  readonly #source: Workplace;
  readonly #target: Target;
  readonly #moveId: string;
  readonly #parts: Part[] = [];
  #renewing: NodeJS.Timeout | undefined;

  constructor(source: Workplace, target: Target, moveId: string) {
    this.#source = source;
    this.#target = target;
    this.#moveId = moveId;
  }

  /** All rows; servers may work. @param progress of what was done */
  async copyAll(progress: (deed: string) => OnRows): Promise<void> {
    const { control } = this.#target;
    await leaveReferences(this.#target);
    for (const half of halfNames) {
      const { read, write } = this.#source[half];
      await beginChanges(write, this.#moveId, (work) => transactSoon(write, work));
      this.#parts.push({
        ...{ half, tables: await listCommonTables(read, this.#target[half].read), digests: new Map(), numbers: [] },
        shape: await shapeOf(read),
        ...{ doubtful: new Set(), unread: new Map(), server: await serverOf(read) },
      });
    }
    this.#renewing = setInterval(() => void this.#renew(), renewEveryMs).unref();
    for (const part of this.#parts)
      await this.#atMoment(part, async (from) => {
        for (const table of part.tables)
          await fillTable({ from, to: this.#target[part.half] }, table, progress('copied'));
        return [];
      });
    for (const part of this.#parts) await this.#compareAll(part, progress('compared'));
    const { references } = (await readMoveState(control.read))!;
    for (const { half } of this.#parts) {
      await tryReferences(this.#target[half].write, references[half]);
      await requireWhole(this.#target, half);
    }
    for (let round = 0; round < mostRounds; round++) {
      let changes = 0;
      for (const part of this.#parts) changes += await this.#copyChanges(part);
      if (changes <= fewChanges) return;
    }
  }

  /** The rows that changed since. @param still nothing else writes; @returns the tables as they are on both sides */
  async copyLast(still: Still): Promise<MovedTableReport[]> {
    const found: MovedTableReport[] = [];
    const { references } = (await readMoveState(this.#target.control.read))!;
    for (const part of this.#parts) {
      const { half, tables } = part;
      const from = still[half];
      const to = this.#target[half];
      if ((await shapeOf(from)) !== part.shape)
        throw new OperationError(
          'failed',
          `the tables of the ${half} database changed during the move, as a new version changes them: repeat the move with that version`,
        );
      if ((await serverOf(from)) !== part.server) for (const { name } of tables) part.doubtful.add(name);
      const changes = await readChanges(from, this.#moveId);
      await this.#copyKeys(part, from, changes?.keys ?? null);
      part.numbers = await readLastNumbers(from, tables);
      await to.write.transaction(async (tx) => {
        await writeLastNumbers(tx, part.numbers);
        await addReferences(tx, references[half], false);
      });
      found.push(...tables.map(({ name }) => ({ database: half, table: name, ...part.digests.get(name)!.get() })));
    }
    return found;
  }

  /** Of the tables, and of the last numbers. @throws OperationError `failed` that names each table which differs */
  async requireEqual(still: Still): Promise<void> {
    const wrong: string[] = [];
    for (const { half, tables, digests, numbers } of this.#parts) {
      const [from, to] = [still[half], this.#target[half].read];
      for (const { name } of tables) {
        const counts = [await countRows(from, name), await countRows(to, name)];
        if (counts.some((rows) => rows !== digests.get(name)!.get().rows))
          wrong.push(`${name} (${counts[0]} rows, ${counts[1]} in the copy)`);
      }
      // No lock keeps PostgreSQL from giving out more of them meanwhile: to a plan, of which nothing is written to it any more.
      if (JSON.stringify(await readLastNumbers(to, tables)) !== JSON.stringify(numbers))
        wrong.push(`the last numbers of ${half}`);
    }
    if (wrong.length > 0)
      throw new OperationError(
        'failed',
        `the copy differs in ${wrong.join(', ')}: nothing was switched; repeat the move`,
      );
  }

  stop(): void {
    clearInterval(this.#renewing);
  }

  /** A comparison of all rows. What it writes must be in the notes: otherwise they are not complete. */
  #compareAll(part: Part, onRows: OnRows): Promise<void> {
    const { half, tables, digests, doubtful, unread } = part;
    return this.#atMoment(part, async (from) => {
      const changes = await readChanges(from, this.#moveId);
      for (const table of tables) {
        const noted = changes?.keys.get(table.name);
        const keys = new Map<string, Key>();
        const { digest } = await fillTable({ from, to: this.#target[half] }, table, onRows, (key) => {
          const name = JSON.stringify(key);
          keys.set(name, key);
          if (noted !== 'all' && noted?.has(name) !== true) doubtful.add(table.name);
        });
        digests.set(table.name, digest);
        unread.set(table.name, keys);
      }
      return changes?.ids ?? [];
    });
  }

  /** @returns how many changes were noted */
  async #copyChanges(part: Part): Promise<number> {
    let count = 0;
    await this.#atMoment(part, async (from) => {
      const changes = await readChanges(from, this.#moveId);
      if (changes !== null) await this.#copyKeys(part, from, changes.keys);
      count = changes?.ids.length ?? 0;
      return changes?.ids ?? [];
    });
    return count;
  }

  /** @param keys null: nothing is known */
  async #copyKeys(
    { half, tables, digests, doubtful, unread }: Part,
    from: Queryable,
    keys: ChangedKeys | null,
  ): Promise<void> {
    const to = this.#target[half];
    for (const table of tables) {
      const { name } = table;
      const noted = keys === null || doubtful.has(name) ? 'all' : keys.get(name);
      const again = new Map(unread.get(name));
      unread.delete(name);
      if (noted === 'all') {
        const { digest } = await fillTable(
          { from, to },
          table,
          () => {},
          (key) => again.set(JSON.stringify(key), key),
        );
        digests.set(name, digest);
      } else for (const [key, values] of noted ?? []) again.set(key, values);
      if (again.size > 0)
        await to.write.transaction((tx) => fillRows({ from, to: tx }, table, [...again.values()], digests.get(name)!));
    }
  }

  /** The notes that `work` returns are done. */
  async #atMoment({ half }: Part, work: (from: Queryable) => Promise<readonly number[]>): Promise<void> {
    const { db, close } = await this.#source[half].openMoment();
    let done: readonly number[];
    try {
      await liftTimeLimits(db);
      done = await work(db);
    } finally {
      await close();
    }
    await forgetChanges(this.#source[half].write, done);
  }

  async #renew(): Promise<void> {
    // Where it fails, the notes are found to be gone at the end.
    for (const half of halfNames) await renewChanges(this.#source[half].write, this.#moveId).catch(() => {});
  }
}

/** The old databases note no changes any more. */
export async function forgetCopy(source: Pick<Workplace, Half>): Promise<void> {
  for (const half of halfNames) {
    const { write } = source[half];
    await endChanges(write, (work) => transactSoon(write, work));
  }
}

/** A table gets or loses its triggers between the transactions of others, which wait for it no longer than a moment. */
async function transactSoon(db: Queryable, work: (tx: Queryable) => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + 120_000;
  for (;;) {
    try {
      return await repeatContended(() =>
        db.transaction(async (tx) => {
          await limitLockWait(tx);
          await work(tx);
        }),
      );
    } catch (cause) {
      if ((cause as { code?: string }).code !== '55P03' || performance.now() > giveUpAt) throw cause;
      await sleep(200);
    }
  }
}

/** Rows are copied table by table: until all are there, some refer to rows that are not. */
async function leaveReferences(target: Target): Promise<void> {
  const state = (await readMoveState(target.control.write))!;
  for (const half of halfNames) {
    const found = await listReferences(target[half].write);
    const isKnown = ({ table, name }: Reference) =>
      state.references[half].some((known) => known.table === table && known.name === name);
    state.references[half] = [...state.references[half], ...found.filter((reference) => !isKnown(reference))];
  }
  await target.control.write.transaction((tx) => writeMoveState(tx, state));
  for (const half of halfNames) await dropReferences(target[half].write, state.references[half]);
}

async function requireWhole(target: Target, half: Half): Promise<void> {
  const complaints = await checkIntegrity(target[half]);
  if (complaints.length > 0)
    throw new OperationError(
      'failed',
      `the copy of the ${half} database is damaged: ${complaints.slice(0, 3).join('; ')}`,
    );
}

async function shapeOf(db: Queryable): Promise<string> {
  return JSON.stringify(await listTables(db));
}

async function countRows(db: Queryable, table: string): Promise<number> {
  return Number((await db(table).count({ rows: '*' }))[0]!.rows);
}
