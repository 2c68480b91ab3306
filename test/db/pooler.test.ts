/** Behind PgBouncer in transaction mode: no statement relies on a session, whatever another client left in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { Company, csv } from '../support/company.js';
import { createDatabase, openBoth } from '../support/databases.js';
import { lacksPooler, startPooler } from '../support/pooler.js';
import { connected } from '../support/template.js';
import { temporaryFolder } from '../support/temporary.js';

test('migrations, uploads and imports of two nodes, on three connections that other clients have left a mess in', {
  skip: lacksPooler,
}, async (t) => {
  const database = await startPooler(t, await createDatabase(t), 3);
  const settings = settingsSchema.parse({ data: temporaryFolder(t), database, databasePooler: 'transaction' });
  const disturb = () =>
    connected(database, (client) => client.query("SET search_path TO nowhere; SET lock_timeout = '1h'"));
  await disturb();
  const nodes = await Promise.all([openBoth(t, settings), openBoth(t, settings)]);
  const companies = await Promise.all(nodes.map((node, n) => Company.join(node, { id: `org${n}` })));
  const summaries = await Promise.all(
    companies.map(async (company) => {
      await disturb();
      return company.import({ 'users.csv': csv('User Email,Teams', 'ann@acme.test,Red', 'ben@acme.test,Red') });
    }),
  );
  assert.deepEqual(
    summaries.map(({ users }) => users.created),
    [2, 2],
  );
  for (const company of companies) assert.ok('ben@acme.test' in (await company.users()));
  const { rows } = await connected(database, (client) =>
    client.query('SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()'),
  );
  assert.ok(Number(rows[0].n) <= 4, 'the pooler had few connections for all of them');
});
