/** The processes for connections of each server, as the server sees them: commands of other processes read them. */
import type { Queryable } from '../connection.js';

export interface WorkerRow {
  /** From 1. */
  number: number;
  /** null: none runs now. */
  pid: number | null;
  connections: number;
  /** Resident memory. */
  memoryBytes: number;
  /** Processor time since the process began. */
  processorMs: number;
  /** How often it was started again since the server began. */
  restarts: number;
}

export interface ListedWorker extends WorkerRow {
  /** `host:pid` of its server. */
  server: string;
}

/** How often a server writes them. */
export const writtenEveryMs = 15_000;
/** After this long without a write a server counts as dead. */
const deadMs = 4 * writtenEveryMs;

export async function writeWorkers(
  db: Queryable,
  server: string,
  rows: readonly WorkerRow[],
  at: number,
): Promise<void> {
  await db.transaction(async (tx) => {
    await tx('workers')
      .where('seen_at', '<', at - 2 * deadMs)
      .delete();
    for (const { number, pid, connections, memoryBytes, processorMs, restarts } of rows)
      await tx('workers')
        .insert({
          ...{ server, number, pid, connections, restarts, seen_at: at },
          memory_bytes: memoryBytes,
          processor_ms: processorMs,
        })
        .onConflict(['server', 'number'])
        .merge();
  });
}

export async function removeWorkers(db: Queryable, server: string): Promise<void> {
  await db('workers').where({ server }).delete();
}

/** For the only server of a database, which starts now. */
export async function removeAllWorkers(db: Queryable): Promise<void> {
  await db('workers').delete();
}

/** Of servers that live. */
export async function listWorkers(db: Queryable, now: number): Promise<ListedWorker[]> {
  const rows = await db('workers')
    .where('seen_at', '>', now - deadMs)
    .orderBy(['server', 'number']);
  return rows.map((row) => ({
    ...{ server: row.server, number: row.number, pid: row.pid, connections: row.connections, restarts: row.restarts },
    memoryBytes: Number(row.memory_bytes),
    processorMs: Number(row.processor_ms),
  }));
}
