/** Groups the transactions that arrive together, so that their commits share one sync of the disk. */

import type { Db, Queryable } from '../db/connection.js';
import { runPart } from '../db/control/part.js';
import { describeDatabaseFailure, isConflict, isContention } from '../db/error.js';

/** Runs in a transaction, perhaps a second time in another one: it has no effects but its writes to `tx`. */
export type Work<T> = (tx: Queryable) => Promise<T>;

interface Job {
  work: Work<unknown>;
  resolve: (result: never) => void;
  reject: (error: unknown) => void;
}

/** Conflicts with another server's transactions are rare, but for servers that publish the same path again and again. */
const maxAttempts = 12;

/** Keeps one transaction short, so that a reader of its rows on PostgreSQL never waits long. */
const maxGroup = 64;

/** Work that arrives during one commit forms the next group. */
export class GroupCommit {
  readonly #control: Db;
  #waiting: Job[] = [];
  #isBusy = false;
  /** The end of the last job of runAlone. */
  #alone: Promise<void> = Promise.resolve();

  constructor(control: Db) {
    this.#control = control;
  }

  /** Resolves with the result of `work` once its writes are durable; rejects with its error, and nothing was written. */
  run<T>(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (!this.#isBusy) void this.#drain();
    });
  }

  /**
   * As `run`, on PostgreSQL in a transaction of its own: `work` locks a row against others that share it, as its group may do already. One
   * after the other beside the groups, so that no CLOSE waits for many uploads that are cut off together.
   */
  runAlone<T>(work: Work<T>): Promise<T> {
    if (this.#control.dialect !== 'postgres') return this.run(work);
    return new Promise<T>((resolve, reject) => {
      this.#alone = this.#alone.then(() => this.#commitAlone({ work, resolve, reject }));
    });
  }

  async #drain(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const jobs = this.#waiting.splice(0, maxGroup);
      if (jobs.length === 1) await this.#commitAlone(jobs[0]!);
      else await this.#commitTogether(jobs);
    }
    this.#isBusy = false;
  }

  /**
   * A group of which one fails is run again with a savepoint for each, so that this one fails alone: the others need no sync of the disk
   * for each of them. If the database fails, all fail.
   */
  async #commitTogether(jobs: readonly Job[]): Promise<void> {
    for (const run of [runAll, runEach]) {
      try {
        const outcomes = await this.#control.transact((tx) => run(tx, jobs), { isRepeatable: run === runAll });
        for (const [index, job] of jobs.entries()) await this.#answer(job, outcomes[index]!);
        return;
      } catch (error) {
        if (isContention(error) || describeDatabaseFailure(error) === null) continue;
        for (const job of jobs) job.reject(error);
        return;
      }
    }
    for (const job of jobs) await this.#commitAlone(job);
  }

  async #answer(job: Job, outcome: PromiseSettledResult<unknown>): Promise<void> {
    if (outcome.status === 'fulfilled') job.resolve(outcome.value as never);
    else if (isConflict(outcome.reason)) await this.#commitAlone(job);
    else job.reject(outcome.reason);
  }

  async #commitAlone({ work, resolve, reject }: Job): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        resolve((await this.#control.transact(work, { isRepeatable: attempt === 1 })) as never);
        return;
      } catch (error) {
        if (attempt < maxAttempts && isConflict(error)) continue;
        reject(error);
        return;
      }
    }
  }
}

/** @throws the error of the first job that fails */
async function runAll(tx: Queryable, jobs: readonly Job[]): Promise<PromiseSettledResult<unknown>[]> {
  const outcomes: PromiseSettledResult<unknown>[] = [];
  for (const { work } of jobs) outcomes.push({ status: 'fulfilled', value: await work(tx) });
  return outcomes;
}

/** @throws when the database fails */
async function runEach(tx: Queryable, jobs: readonly Job[]): Promise<PromiseSettledResult<unknown>[]> {
  const outcomes: PromiseSettledResult<unknown>[] = [];
  for (const { work } of jobs)
    try {
      outcomes.push({ status: 'fulfilled', value: await runPart(tx, work) });
    } catch (reason) {
      if (!isContention(reason) && describeDatabaseFailure(reason) !== null) throw reason;
      outcomes.push({ status: 'rejected', reason });
    }
  return outcomes;
}
