/**
 * fast-check with the same cases in each run, so that a change does not fail by a fault that is older than it.
 * `TEST_SEED=random` makes new ones, and prints their seed; `TEST_SEED=N` repeats those of a run that failed.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';

const asked = process.env.TEST_SEED;
const other = asked === 'random' ? randomInt(2 ** 31) : Number(asked);
if (asked === 'random') console.log(`TEST_SEED=${other}`);

/** @param usual where the environment asks for none */
export const seedOr = (usual: number): number => (asked === undefined ? usual : other);
export const seed = seedOr(20261122);
fc.configureGlobal({ seed });

export { fc };
