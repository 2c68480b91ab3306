/** A PostgreSQL server with a standby that must have each commit, which a test restarts and lets fail over. */
import { askServer, type Cluster, followCluster, holdStandby, startCluster } from '../support/cluster.js';
import type { Scope } from '../support/temporary.js';

export class ReplicatedDatabase {
  private constructor(
    readonly scope: Scope,
    public primary: Cluster,
    public standby: Cluster,
  ) {}

  static async start(scope: Scope): Promise<ReplicatedDatabase> {
    const primary = await startCluster(scope);
    const made = new ReplicatedDatabase(scope, primary, await followCluster(scope, primary));
    await made.#requireStandby(true);
    return made;
  }

  /** At once, or as an administrator does. */
  async restart(isCrash: boolean): Promise<void> {
    await (isCrash ? this.primary.kill() : this.primary.shutDown());
    await this.primary.restart();
  }

  /** The primary dies; its standby takes its place, and gets one of its own later, by `replaceStandby`. */
  async failOver(): Promise<void> {
    const old = this.primary;
    await old.kill();
    await this.standby.promote();
    this.primary = this.standby;
    await this.#requireStandby(false);
    await old.stop();
  }

  async replaceStandby(): Promise<void> {
    this.standby = await followCluster(this.scope, this.primary);
    await this.#requireStandby(true);
  }

  url(database: string): string {
    return this.primary.url.replace(/\/postgres$/, `/${database}`);
  }

  async query(sql: string): Promise<void> {
    await askServer(this.primary.url, sql);
  }

  /** While `work` runs, the standby receives nothing and confirms nothing; `goOn` ends that sooner. */
  async whileStandbyStandsStill<T>(work: (goOn: () => void) => Promise<T>): Promise<T> {
    return holdStandby(this.standby, ({ goOn }) => work(goOn));
  }

  /** The standby is a copy of the settings too: one that was promoted has no standby until it is told. */
  async #requireStandby(isRequired: boolean): Promise<void> {
    await this.query(`ALTER SYSTEM SET synchronous_standby_names = '${isRequired ? '*' : ''}'`);
    await this.query('SELECT pg_reload_conf()');
  }
}
