/** Connections to an SQLite database with a second, scratch file attached: the stage of a run. */
import type { Knex } from 'knex';
import { keyClause } from './cipher.js';
import type { SqliteConnection } from './driver.js';
import { hide, openInstance, prepare, type SqliteFile } from './open.js';

/** A second, scratch file that a connection of its own has attached. */
export interface Attached {
  readonly db: Knex;
  /** Call it before the file is removed. `isLast`: closes the connection, which is kept for the next file otherwise. */
  detach(isLast: boolean): Promise<void>;
}

/**
 * Connections of their own to a database, each with a scratch file attached under a name; sealed where the database is. The last one
 * that was detached is kept for a while: to open a connection costs as much as the work on a small file.
 */
export class ScratchConnections {
  readonly #source: SqliteFile;
  #kept: ScratchConnection | null = null;
  #isClosed = false;

  constructor(source: SqliteFile) {
    this.#source = source;
  }

  /** @param pageBytes of a file that is new: a power of two from 512 to 65536; absent: SQLite's 4096 */
  async attach(file: string, name: string, pageBytes?: number): Promise<Attached> {
    const used = this.#kept ?? new ScratchConnection(this.#source, name);
    this.#kept = null;
    try {
      await used.attach({ file, pageBytes });
    } catch (error) {
      await used.db.destroy();
      throw error;
    }
    const detach = async (isLast: boolean) => {
      const isDetached = !isLast && !this.#isClosed && this.#kept === null && (await used.detach());
      if (isDetached && this.#kept === null && !this.#isClosed) this.#kept = used;
      else await used.db.destroy();
    };
    return { db: used.db, detach };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#kept?.db.destroy();
    this.#kept = null;
  }
}

interface Scratch {
  file: string;
  pageBytes: number | undefined;
}

class ScratchConnection {
  readonly db: Knex;
  readonly #name: string;
  readonly #source: SqliteFile;
  /** null: none. */
  #scratch: Scratch | null = null;
  /** knex closes a connection that it has not used for half a minute, and opens another one, which needs the file again. */
  readonly #attached = new WeakSet<SqliteConnection>();

  constructor(source: SqliteFile, name: string) {
    this.#source = source;
    this.#name = name;
    const onConnect = (connection: SqliteConnection) => this.#attachTo(connection);
    const more = ['PRAGMA main.cache_size = -32768'];
    this.db = openInstance(source, { connections: 1, kind: 'immediate', more, onConnect });
  }

  async attach(scratch: Scratch): Promise<void> {
    this.#scratch = scratch;
    await this.#use((connection) => this.#attachTo(connection));
  }

  /** false: it could not be detached. */
  async detach(): Promise<boolean> {
    this.#scratch = null;
    try {
      await this.#use(async (connection) => {
        if (!this.#attached.delete(connection)) return;
        await connection.execute(`DETACH DATABASE ${this.#name}`);
      });
      return true;
    } catch {
      return false;
    }
  }

  async #attachTo(connection: SqliteConnection): Promise<void> {
    if (this.#scratch === null || this.#attached.has(connection)) return;
    const { file, pageBytes } = this.#scratch;
    const name = this.#name;
    const { key, waitMs } = this.#source;
    // The scratch file is thrown away after any failure: it needs neither journal nor syncs.
    const statements = [
      `ATTACH DATABASE '${file.replaceAll("'", "''")}' AS ${name}${key === null ? '' : ` ${keyClause(key)}`}`,
      ...(pageBytes === undefined ? [] : [`PRAGMA ${name}.page_size = ${pageBytes}`]),
      `PRAGMA ${name}.journal_mode = OFF; PRAGMA ${name}.synchronous = OFF; PRAGMA ${name}.cache_size = -32768`,
    ];
    await prepare(connection, statements, waitMs);
    this.#attached.add(connection);
    hide(file);
  }

  async #use(work: (connection: SqliteConnection) => Promise<void>): Promise<void> {
    const connection: SqliteConnection = await this.db.client.acquireConnection();
    try {
      await work(connection);
    } finally {
      await this.db.client.releaseConnection(connection);
    }
  }
}
