/** Words of a status over several days: beside planned deactivations, undone runs, and rows that are known (rule U12b). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openUndoRun } from '../../../db/control/runs.js';
import { deactivateDue } from '../../../db/directory/deactivations.js';
import { workNext } from '../../../importer/run/worker.js';
import { Company, csv } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';

const options = { statusWords: { active: ['Active'], deactivated: ['Gone'] }, maxDeactivations: '100%' };
const dayMs = 86_400_000;

test('U12b an active status brings back a user whom a planned deactivation took, also where the row is the same', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, { options });
  const everyone = csv('User Email,Status', 'a@b.test,Active', 'b@b.test,Active', 'c@b.test,Gone');
  const statuses = async () => {
    const users = await acme.users();
    return ['a@b.test', 'b@b.test', 'c@b.test'].map((email) => users[email]!.status);
  };
  await acme.import({ 'users.csv': everyone });
  assert.deepEqual(await statuses(), ['active', 'active', 'deactivated']);
  await acme.import({ 'leavers.csv': csv('User Email,Deactivation Date', 'a@b.test,2026-03-20') });
  const again = await acme.import({ 'users.csv': everyone });
  assert.deepEqual([again.users.unchanged, again.users.updated], [3, 0], 'an active status does not cancel a plan');
  acme.clock += 11 * dayMs;
  await deactivateDue(acme.deps.directory, acme.clock);
  assert.deepEqual(await statuses(), ['deactivated', 'active', 'deactivated']);
  const back = await acme.import({ 'users.csv': everyone });
  assert.deepEqual([back.users.unchanged, back.users.updated], [2, 1]);
  assert.deepEqual(await statuses(), ['active', 'active', 'deactivated']);
});

test('U12b an undo restores the status, and whom an operator deactivated stays so', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, { options });
  const { control, directory } = acme.deps;
  await acme.import({ 'users.csv': csv('User Email,Status', 'a@b.test,Active', 'b@b.test,Active') });
  const gone = await acme.import({ 'users.csv': csv('User Email,Status', 'a@b.test,Gone', 'b@b.test,Active') });
  assert.equal(gone.users.deactivated, 1);
  const undo = await openUndoRun(control.write, acme.org.id, gone.run!, acme.clock);
  assert.equal(await workNext(acme.deps, undo), 'ended');
  assert.equal((await acme.users())['a@b.test']!.status, 'active');
  await directory
    .write('users')
    .where({ email_key: 'b@b.test' })
    .update({ status: 'deactivated', deactivated_by: 'operator' });
  const { users } = await acme.import({ 'other.csv': csv('User Email,Status', 'b@b.test,Active') });
  assert.deepEqual([users.unchanged, users.updated], [1, 0]);
  assert.equal((await acme.users())['b@b.test']!.status, 'deactivated');
});
