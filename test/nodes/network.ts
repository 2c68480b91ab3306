/** The network of a round: a proxy between each node and the database, and one PgBouncer for those that have it. */
import { openPooler, type Pooler } from '../support/pooler.js';
import { startTcpProxy, type TcpProxy } from '../support/tcpproxy.js';
import type { Scope } from '../support/temporary.js';

/** PgBouncer's own to the database, for all nodes together. */
const pooledConnections = 20;

export class Network {
  /** That lead to the database itself: of PgBouncer, and of nodes without it. */
  readonly #direct: TcpProxy[] = [];
  #pooler: Pooler | null = null;

  private constructor(
    readonly scope: Scope,
    readonly database: string,
  ) {}

  /** @param database its URL */
  static async open(scope: Scope, database: string, hasPooler: boolean): Promise<Network> {
    const network = new Network(scope, database);
    if (hasPooler) {
      const behind = await network.connect(false);
      network.#pooler = await openPooler(scope, behind.through(database), pooledConnections);
    }
    return network;
  }

  /** The way of one node. */
  async connect(isPooled: boolean): Promise<TcpProxy> {
    const next = isPooled ? this.#pooler!.url : this.database;
    const proxy = await startTcpProxy(this.scope, Number(new URL(next).port));
    if (!isPooled) this.#direct.push(proxy);
    return proxy;
  }

  /** To another server, after a fail-over. */
  follow(port: number): void {
    for (const proxy of this.#direct) {
      proxy.cut();
      proxy.target(port);
      proxy.mend();
    }
  }

  async restartPooler(): Promise<void> {
    await this.#pooler!.restart();
  }
}
