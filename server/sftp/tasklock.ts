/** Keeps tasks in order: an exclusive one waits for everything before it, a shared one only for exclusive ones. */
export class TaskLock {
  #lastExclusive: Promise<unknown> = Promise.resolve();
  #everything: Promise<unknown> = this.#lastExclusive;

  exclusive<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#everything.then(task);
    this.#lastExclusive = this.#everything = result.catch(ignore);
    return result;
  }

  shared<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#lastExclusive.then(task);
    this.#everything = Promise.all([this.#everything, result.catch(ignore)]);
    return result;
  }
}

/** The caller of a task gets its failure; later tasks only wait for its end. */
function ignore(): void {}
