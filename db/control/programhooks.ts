/** Whether the import hooks are those of a program that embeds Dropslot, so that no other process may import without them. */
import type { Queryable } from '../connection.js';

export async function hasProgramHooks(db: Queryable): Promise<boolean> {
  return (await db('program_hooks').first()) !== undefined;
}

/** `are` false: they are those of the settings that every process reads, or there are none. */
export async function noteProgramHooks(tx: Queryable, are: boolean, now: number): Promise<void> {
  if (!are) await tx('program_hooks').delete();
  else await tx('program_hooks').insert({ id: 1, at: now }).onConflict('id').ignore();
}
