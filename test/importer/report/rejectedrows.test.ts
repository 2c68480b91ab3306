/** The file of rejected rows keeps a row with faulty quotes as it was sent (rule R1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Company, csv } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';

test('R1 a row with text after a closing quote is kept to the letter, and can be mended and sent again', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const header = 'User Email,User Name';
  const [bob, cy] = ['a@b.test,"Bob" Miller', 'c@b.test,"Cy" "The Fox" Lee'];
  const first = await acme.import({ 'users.csv': csv(header, bob, 'b@b.test,B', cy, 'd@b.test,D') });
  assert.deepEqual([first.users.created, first.users.faults], [2, 2]);
  const rejected = await acme.read(first.files[0]!.rejected!);
  const lines = rejected.replace(/^\ufeff/, '').split('\r\n');
  for (const [at, sent] of [header, bob, cy].entries()) assert.ok(lines[at]!.startsWith(sent), lines[at]);
  const mended = csv(header, 'a@b.test,"""Bob"" Miller"', 'c@b.test,Cy "The Fox" Lee');
  const second = await acme.import({ 'users.csv': mended });
  assert.deepEqual([second.users.created, second.users.faults], [2, 0]);
  assert.equal((await acme.users())['a@b.test']!.user_name, '"Bob" Miller');
});
