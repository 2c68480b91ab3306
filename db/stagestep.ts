/** Steps of a plan that can be taken back. */
import { openScript } from './script.js';
import type { Stage } from './stage.js';

/**
 * Keeps all that `work` writes into the stage, or takes it back: when it throws, or returns null.
 * @param work gets the stage to write to.
 */
export function takeStep<T>(stage: Stage, work: (stage: Stage) => Promise<T | null>): Promise<T | null> {
  return stage.dialect === 'sqlite' ? stepInFile(stage, work) : stepInSchema(stage, work);
}

/** A savepoint, and no transaction of knex: that one would take the writer's lock of the directory. */
async function stepInFile<T>(stage: Stage, work: (stage: Stage) => Promise<T | null>): Promise<T | null> {
  const { script, prefix } = stage;
  // The scratch file has no journal otherwise, and then nothing can be taken back.
  await script.run(`PRAGMA ${prefix}.journal_mode = MEMORY`);
  await script.run('SAVEPOINT step');
  const end = async (isKept: boolean) => {
    if (!isKept) await script.run('ROLLBACK TO step');
    await script.run('RELEASE step');
    await script.run(`PRAGMA ${prefix}.journal_mode = OFF`);
    await script.flush();
  };
  let result: T | null;
  try {
    result = await work(stage);
  } catch (error) {
    // SQLite has rolled back by itself after some errors.
    await end(false).catch(() => {});
    throw error;
  }
  await end(result !== null);
  return result;
}

async function stepInSchema<T>(stage: Stage, work: (stage: Stage) => Promise<T | null>): Promise<T | null> {
  const tx = await stage.db.transaction();
  try {
    const result = await work({ ...stage, db: tx, script: openScript(tx, 'postgres') });
    await (result === null ? tx.rollback() : tx.commit());
    return result;
  } catch (error) {
    if (!tx.isCompleted()) await tx.rollback();
    throw error;
  }
}
