/** A PostgreSQL server with a standby that must have each commit, which a test restarts and lets fail over. */
import pg from 'pg';
import { type Cluster, followCluster, startCluster } from '../support/cluster.js';
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
    const client = new pg.Client(this.primary.url);
    client.on('error', () => {});
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }

  /** The standby is a copy of the settings too: one that was promoted has no standby until it is told. */
  async #requireStandby(isRequired: boolean): Promise<void> {
    await this.query(`ALTER SYSTEM SET synchronous_standby_names = '${isRequired ? '*' : ''}'`);
    await this.query('SELECT pg_reload_conf()');
  }
}
