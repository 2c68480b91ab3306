/** Every client does every case that it can, against the built server; docs/clients.md shows the same as a table. */
import { after, before, describe, test } from 'node:test';
import { openScope, temporaryFolder } from '../support/temporary.js';
import { type LargeFile, makeLargeFile } from './cases.js';
import { listChecks } from './checks.js';
import { clients } from './clients/all.js';
import { layTable, type Table } from './seat.js';

describe('the matrix of clients', { concurrency: 2 }, () => {
  const scope = openScope();
  let table: Table;
  let large: LargeFile;
  before(async () => {
    large = makeLargeFile(temporaryFolder(scope));
    table = await layTable(scope);
  });
  after(() => scope.close());
  for (const [index, client] of clients.entries())
    test(client.name, { skip: client.missing }, async (t) => {
      const seat = (await table.seat(`client-${index}`)).move({ key: client.key });
      const trial = { client, seat, scope: t, large };
      for (const { name, unable, run } of listChecks(client))
        await t.test(name, { skip: unable ?? false }, () => run(trial));
    });
});
