/** A database that answers reads and takes no writes: the server says so once, and once more when it is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchCommits } from '../../app/commitwatch.js';
import { createSilentLogger } from '../../config/logger.js';
import { openFresh } from '../support/databases.js';
import { until } from '../support/session.js';
import { connected } from '../support/template.js';

test('a read-only database is told and no longer ready, until it takes writes again', async (t) => {
  const { settings, control } = await openFresh(t, 'postgres');
  const name = new URL(settings.database).pathname.slice(1);
  const administer = (sql: string) =>
    connected(process.env.TEST_POSTGRES_URL!, async (client) => void (await client.query(sql)));
  const endConnections = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`;
  const lines: string[] = [];
  const logger = {
    ...createSilentLogger(),
    info: (message: string) => lines.push(message),
    error: (message: string, { reason }: { reason: string }) => lines.push(`${message}: ${reason}`),
  };
  await administer(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  const watch = watchCommits(control, logger as never, 20);
  try {
    await until(() => watch.fault() !== null, 'the fault is known');
    assert.match(watch.fault()!, /default_transaction_read_only is on\. Set it to off for the role/);
    await until(() => lines.length > 0, 'it is logged');
    await administer(`ALTER DATABASE ${name} RESET ALL`);
    await administer(endConnections);
    await until(() => watch.fault() === null, 'the fault is over');
  } finally {
    await watch.stop();
    await administer(`ALTER DATABASE ${name} RESET ALL`);
    await administer(endConnections);
  }
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0]!, /^the database takes no writes; uploads fail: .*default_transaction_read_only/);
  assert.equal(lines[1], 'the database takes writes again');
});
