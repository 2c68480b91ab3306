/** Watches short transactions on SQLite. */
import type { Db } from '../../db/connection.js';
import type { SqliteConnection } from '../../db/sqlite/driver.js';

/** How many short transactions of `control` have failed since, as those do that find a lock. */
export async function countRefusals(control: Db): Promise<() => number> {
  let refusals = 0;
  const connection: SqliteConnection = await control.write.client.acquireConnection();
  const { executeNow } = connection;
  connection.executeNow = (...given) =>
    executeNow(...given).catch((error) => {
      refusals++;
      throw error;
    });
  await control.write.client.releaseConnection(connection);
  return () => refusals;
}
