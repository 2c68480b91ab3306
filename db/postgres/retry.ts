/** Runs a transaction again that PostgreSQL ended since another one was in its way: a deadlock, or a serialization failure. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isContention } from '../error.js';

const mostAttempts = 5;
const pauseMs = 20;

/** @param transact one whole transaction, whose only effects are its writes. */
export async function repeatContended<T>(transact: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transact();
    } catch (error) {
      if (attempt === mostAttempts || !isContention(error)) throw error;
      await sleep(pauseMs * attempt);
    }
  }
}
