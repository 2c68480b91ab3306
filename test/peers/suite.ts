/** Tests of some clients of the matrix, one after the other, against a built server of their own. */
import { after, before, describe, test } from 'node:test';
import { openScope, temporaryFolder } from '../support/temporary.js';
import { type LargeFile, makeLargeFile } from './cases.js';
import { listChecks } from './checks.js';
import type { Client } from './client.js';
import { layTable, type Table } from './seat.js';

export function testClients(title: string, clients: readonly Client[]): void {
  describe(title, () => {
    const scope = openScope();
    let table: Table;
    let large: LargeFile;
    before(async () => {
      table = await layTable(scope);
      large = makeLargeFile(temporaryFolder(scope));
    });
    after(() => scope.close());
    for (const [index, client] of clients.entries())
      test(client.name, { skip: client.missing }, async (t) => {
        const seat = (await table.seat(`client-${index}`)).move({ key: client.key });
        for (const { name, unable, run } of listChecks(client))
          await t.test(name, { skip: unable ?? false }, () => run({ client, seat, scope: t, large }));
      });
  });
}
