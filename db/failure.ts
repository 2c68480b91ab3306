/** Tells a database that failed from a defect of a query, in either dialect. */

/** SQLite result codes, and PostgreSQL classes of SQLSTATE, that say something about the machine rather than the query. */
const sqliteFailures = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|PERM|NOMEM)/;
const postgresFailures = /^(08|25006|28|3D|53|57|58|XX)/;
const networkFailures = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EPIPE|EAI_AGAIN)$/;

/** One sentence without the statement, which holds personal data; null: the database is not to blame. */
export function describeDatabaseFailure(error: unknown): string | null {
  const { name, code, message } = error as { name?: string; code?: string; message?: string };
  if (name === 'KnexTimeoutError') return 'the database did not answer in time';
  if (typeof code !== 'string') return null;
  const isKnown =
    sqliteFailures.test(code) || networkFailures.test(code) || (code.length === 5 && postgresFailures.test(code));
  // knex puts the statement before the driver's own words.
  return isKnown ? `the database failed: ${message?.split(' - ').at(-1) ?? code}` : null;
}

/** Whether the connection ended before the server's answer came: a COMMIT that was sent may still take place. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return networkFailures.test(code ?? '') || /Connection terminated/.test(message ?? '');
}
