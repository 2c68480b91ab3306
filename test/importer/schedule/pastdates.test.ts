/** A system that writes a past date, and another one each day: the user is deactivated a day after the first of them (rule U12a). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deactivateDue } from '../../../db/directory/deactivations.js';
import { Company, csv, importMoment } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';

const hour = 3_600_000;
const day = (n: number) => new Date(importMoment + n * 24 * hour).toISOString().slice(0, 10);

test('U12a a past date that moves every day deactivates 24 hours after it was first past, and once', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test', 'eve@acme.test') });
  const deactivated: string[] = [];
  for (let hours = 0; hours <= 100; hours++) {
    acme.clock = importMoment + hours * hour;
    await deactivateDue(acme.deps.directory, acme.clock, async (_org, users) => {
      deactivated.push(`${users.length} at ${hours}`);
    });
    // Slots that are not quite a day apart; Eve's date is past from the third day on.
    if (hours % 23 !== 0) continue;
    const days = Math.floor(hours / 24);
    const eve = days < 2 ? day(2) : day(days - 1);
    await acme.import({
      'users.csv': csv('User Email,Deactivation Date', `ann@acme.test,${day(days - 1)}`, `eve@acme.test,${eve}`),
    });
  }
  assert.deepEqual(deactivated, ['1 at 24', '1 at 36']);
});
