/** `npm run clients [-- name…]`: the whole matrix, and its results in docs/clients.md when no client is missing. */
import { readFileSync, writeFileSync } from 'node:fs';
import { openScope, temporaryFolder } from '../support/temporary.js';
import { type LargeFile, makeLargeFile, refusal } from './cases.js';
import { listChecks } from './checks.js';
import type { Client } from './client.js';
import { clients } from './clients/all.js';
import { insertResults, page, type Result } from './page.js';
import { layTable, type Table } from './seat.js';

const named = process.argv.slice(2);
const chosen = clients.filter(({ name }) => named.length === 0 || named.includes(name));
const scope = openScope();
let isWhole = named.length === 0 && chosen.length > 0;
try {
  const table = await layTable(scope);
  const large = makeLargeFile(temporaryFolder(scope));
  const results = new Map<Client, Result>();
  const waiting = [...chosen];
  const work = async () => {
    for (let client = waiting.shift(); client !== undefined; client = waiting.shift())
      results.set(client, await examine(client, table, large));
  };
  await Promise.all([work(), work()]);
  if (isWhole) {
    const inOrder = chosen.map((client) => results.get(client)!);
    writeFileSync(page, insertResults(readFileSync(page, 'utf8'), inOrder));
  }
} finally {
  await scope.close();
}
process.exitCode = isWhole || (named.length > 0 && process.exitCode === undefined) ? 0 : 1;

async function examine(client: Client, table: Table, large: LargeFile): Promise<Result> {
  if (client.missing !== false) {
    isWhole = false;
    console.log(`NOT RUN: ${client.name}: ${client.missing}`);
    return { client, version: '', failed: [], message: '' };
  }
  const seat = (await table.seat(`client-${clients.indexOf(client)}`)).move({ key: client.key });
  const trial = { client, seat, scope, large };
  const failed: string[] = [];
  for (const { name, unable, run } of listChecks(client)) {
    if (unable !== null) continue;
    const begun = performance.now();
    try {
      await run(trial);
      console.log(`ok      ${client.name}: ${name} (${Math.round(performance.now() - begun)} ms)`);
    } catch (error) {
      isWhole = false;
      process.exitCode = 1;
      failed.push(name);
      console.log(`FAILED  ${client.name}: ${name}\n${(error as Error).stack}`);
    }
  }
  const message = await refusal(trial);
  console.log(`${client.name} says: ${message}`);
  return { client, version: client.version(), failed, message };
}
