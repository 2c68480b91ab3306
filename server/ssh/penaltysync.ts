/** Shares penalties with other nodes through the control database: writes new ones, reads those of others, and pardons. */
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import {
  clearPenalties,
  lastPardonId,
  listNewPardons,
  listNewPenalties,
  listPenalties,
  type Penalty as PenaltyRow,
  putPenalties,
} from '../../db/control/penalties.js';
import type { KnownUsers } from './knownusers.js';
import { LoginPenalties } from './loginpenalties.js';
import { isAt, Penalties, type Penalty } from './penalties.js';

const roundMs = 1000;

/** Penalties written and read in one round: a flood of clients must not flood the database. */
const mostARound = 50;

/** Ids of a transaction that commits late are below ones that were seen already. */
const lateIds = 200;

const clearMs = 600_000;

export interface PenaltySync {
  /** Has the penalty written to the control database with the next round. */
  announce(penalty: Penalty): void;
  stop(): Promise<void>;
}

export interface OpenLoginPenalties {
  rules: LoginPenalties;
  sync: PenaltySync;
}

/** Penalties of clients, shared with the other nodes. @throws when the control database can't be asked. */
export async function openLoginPenalties(
  known: KnownUsers,
  deps: { control: Db; logger: Logger; now: () => number; settings: Pick<Settings, 'penaltyMinutes'> },
): Promise<OpenLoginPenalties> {
  const { now, settings } = deps;
  const table = new Penalties({ now, longestPenaltyMs: settings.penaltyMinutes * 60_000 });
  return { rules: new LoginPenalties(table, known, now), sync: await startPenaltySync(table, deps) };
}

/** @throws when the control database can't be asked. */
export async function startPenaltySync(
  penalties: Penalties,
  { control, logger, now, everyMs = roundMs }: { control: Db; logger: Logger; now: () => number; everyMs?: number },
): Promise<PenaltySync> {
  let waiting: Omit<PenaltyRow, 'id'>[] = [];
  let lastPenalty = 0;
  let lastPardon = await lastPardonId(control.read);
  /** Ids of pardons that are read again and again, in case that one among them is late. */
  const obeyed = new Set((await listNewPardons(control.read, lastPardon - lateIds)).map(({ id }) => id));
  let clearedAt = now();
  let isFailing = false;

  for (const penalty of await listPenalties(control.read, now(), 10_000)) {
    penalties.impose(penalty);
    lastPenalty = Math.max(lastPenalty, penalty.id);
  }

  const syncOnce = async (): Promise<void> => {
    // Pardons first: a penalty that began after one remains.
    for (const { id, source } of await listNewPardons(control.read, lastPardon - lateIds)) {
      if (obeyed.has(id)) continue;
      if (source === null) penalties.forgiveAll();
      else penalties.forgive(source);
      waiting = waiting.filter((penalty) => source !== null && !isAt(penalty.source, source));
      obeyed.add(id);
      lastPardon = Math.max(lastPardon, id);
    }
    for (const id of obeyed) if (id <= lastPardon - lateIds) obeyed.delete(id);
    const some = waiting.slice(0, mostARound);
    await putPenalties(control.write, some);
    // Not before: a write that fails is tried again with the next round.
    waiting.splice(0, some.length);
    for (const penalty of await listNewPenalties(control.read, lastPenalty - lateIds, lateIds + mostARound)) {
      penalties.impose(penalty);
      lastPenalty = Math.max(lastPenalty, penalty.id);
    }
    if (now() - clearedAt < clearMs) return;
    clearedAt = now();
    await clearPenalties(control.write, now() - clearMs);
  };
  const round = async (): Promise<void> => {
    try {
      await syncOnce();
      isFailing = false;
    } catch (error) {
      if (!isFailing)
        logger.error('could not exchange penalties with the control database; will retry each second', {
          detail: (error as Error).message,
        });
      isFailing = true;
    }
  };

  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= round().finally(() => {
      running = null;
    });
  }, everyMs);
  return {
    announce: ({ source, until, strikes, cause }) => {
      // Penalties beyond this bound hold on this node only.
      if (waiting.length < 20 * mostARound) waiting.push({ source, until, strikes, cause, beganAt: now() });
    },
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
