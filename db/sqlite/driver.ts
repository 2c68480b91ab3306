/** The interface that every SQLite driver implements: nothing outside this folder knows a driver. */

/** One connection to a database file. All errors carry `code`, a primary result code of SQLite such as SQLITE_BUSY. */
export interface SqliteConnection {
  /** Runs one statement without values and without rows. */
  execute(sql: string): Promise<void>;
  /** Runs a BEGIN and the statements after it as one call, which does not wait: it fails with SQLITE_BUSY where another connection has the lock. */
  executeNow(begin: string, statements: readonly string[]): Promise<void>;
  /** Runs one statement. `wantsRows` false: `rows` may be empty although the statement returns some. */
  run(sql: string, values: readonly unknown[], wantsRows: boolean): Promise<SqliteResult>;
  /** Copies the database into a new file, as the open transaction sees it; a sealed one under its key. It may end the transaction. */
  copyTo(file: string): Promise<void>;
  close(): Promise<void>;
}

export interface SqliteResult {
  rows: unknown[];
  /** Rows that the statement inserted, changed or deleted. */
  changes: number;
  lastId: number;
}

export interface OpenOptions {
  /** Milliseconds that a statement waits for the lock of another connection before it fails with SQLITE_BUSY. */
  waitMs: number;
  /** Fail when the file is missing, in place of creating it. */
  mustExist?: boolean;
  /** The key of a sealed file, 64 hexadecimal digits; only the driver of sealed files takes one. */
  key?: string | null;
}

export type OpenSqlite = (file: string, options: OpenOptions) => Promise<SqliteConnection>;
