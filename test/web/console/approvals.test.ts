/** Who may decide about a held import: the settings approvals and twoPersonApproval, on every surface; and undo with its preview. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { setOrganization } from '../../../operations/orgs.js';
import { readAssignments } from '../../../operations/orgsettings/orgsettings.js';
import { approveCounted, getRun, rejectHeldRun } from '../../../operations/runs.js';
import { addToken, recognizeToken } from '../../../operations/tokens.js';
import { workplaceFor } from '../../../web/api/access.js';
import { csv } from '../../support/company.js';
import { openTestConsole, type TestConsole } from '../../support/console.js';
import { newKeyPair } from '../../support/keys.js';

const header = 'User Email,First Name,Deactivation Date';
const rows = Array.from({ length: 12 }, (_, index) => `user${index}@acme.test,Ann,`);
const leaving = csv(header, ...rows.map((row) => `${row}2020-01-01`));

const textOf = ({ text }: { text: string }) =>
  text
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#34;/g, '"')
    .replace(/\s+/g, ' ');

/** A held run of acme; its number. */
async function hold({ acme, place }: TestConsole, ...settings: string[]): Promise<number> {
  await acme.import({ 'users.csv': csv(header, ...rows) });
  await setOrganization(place, 'acme', readAssignments(settings));
  const { run, state } = await acme.import({ 'users.csv': leaving });
  assert.equal(state, 'held');
  return run!;
}

test('with approvals=operators an admin sees a held import, and can neither approve nor discard it', async (t) => {
  const site = await openTestConsole(t);
  const { person, place } = site;
  const id = await hold(site, 'approvals=operators');
  const admin = await person('admin', 'acme');
  const page = `/orgs/acme/imports/${id}/review`;
  const shown = await admin.get(page);
  assert.match(textOf(shown), /Operators decide about held runs of acme: ask your operator\./);
  assert.doesNotMatch(shown.text, /name="decision"/);
  const { digest } = (await getRun(place, String(id))).hold!;
  for (const decision of ['approve', 'discard']) {
    const { status, text } = await admin.post(page, { digest, decision });
    assert.equal(status, 422);
    assert.match(textOf({ text }), /Operators decide about held runs/);
  }
  const { secret } = await addToken(place, { name: 'portal', scope: 'operate', org: 'acme' });
  const ofToken = workplaceFor(place, (await recognizeToken(place, secret, null))!);
  await assert.rejects(approveCounted(ofToken, String(id), null, digest), { code: 'refused' });
  await assert.rejects(rejectHeldRun(ofToken, String(id), null), { code: 'refused' });
  assert.equal((await getRun(place, String(id))).state, 'held');
  const operator = await person('operator');
  assert.equal((await operator.post(page, { digest, decision: 'approve' })).status, 303);
});

test('with twoPersonApproval another person than the sender approves, whichever way the file came', async (t) => {
  const site = await openTestConsole(t);
  const { person, place } = site;
  const [sender, other] = [await person('admin', 'acme'), await person('admin', 'acme')];
  const key = newKeyPair();
  const added = await sender.post('/orgs/acme/connection/keys', {
    key: `${key.public.algorithm} ${key.public.publicKey}`,
    others: 'keep',
  });
  assert.equal(added.status, 303);
  const id = await hold(site, 'twoPersonApproval=yes');
  const page = `/orgs/acme/imports/${id}/review`;
  const { digest } = (await getRun(place, String(id))).hold!;
  const bring = (row: Record<string, string | null>) =>
    place.control.write('uploads').where({ run_id: id }).update(row);
  const decide = (who: typeof sender, decision: string) => who.post(page, { digest, decision });

  // A key that came with a command: no person is known. Any admin could be the sender, so that an operator must approve.
  for (const who of [sender, other]) {
    const shown = await who.get(page);
    assert.match(textOf(shown), /It is not known which person sent "\/users\.csv".* an operator must approve run/);
    assert.doesNotMatch(shown.text, /value="approve"/);
    assert.equal((await decide(who, 'approve')).status, 422);
  }
  const { secret: shared } = await addToken(place, { name: 'portal', scope: 'operate', org: 'acme' });
  const ofPortal = workplaceFor(place, (await recognizeToken(place, shared, null))!);
  await assert.rejects(approveCounted(ofPortal, String(id), null, digest), /an operator must approve/);
  const operator = await person('operator');
  const offered = await operator.get(page);
  assert.match(textOf(offered), /does not know the person who sent \/users\.csv/);
  assert.match(offered.text, /value="approve"/);
  // A file that a source fetched.
  await bring({ key_fingerprint: null, client: 'source:1' });
  assert.equal((await decide(other, 'approve')).status, 422);
  await bring({ key_fingerprint: key.public.fingerprint });
  assert.match(textOf(await sender.get(page)), /You sent "\/users\.csv", with a key or token of your own/);
  assert.doesNotMatch((await sender.get(page)).text, /value="approve"/);
  assert.equal((await decide(sender, 'approve')).status, 422);
  assert.doesNotMatch(textOf(await other.get(page)), /does not know|You sent/);

  // Over HTTPS, by a token that the person made.
  const mine = { ...place, actor: `web:${sender.email}` };
  const { secret, id: tokenId } = await addToken(mine, { name: 'hr', scope: 'operate', org: 'acme' });
  await bring({ key_fingerprint: null, client: `token:${tokenId}` });
  assert.equal((await decide(sender, 'approve')).status, 422);
  const ofToken = workplaceFor(place, (await recognizeToken(place, secret, null))!);
  await assert.rejects(approveCounted(ofToken, String(id), null, digest), /another person must approve/);
  // Two tokens that one token made.
  const maker = await addToken(mine, { name: 'owner', scope: 'owner', org: 'acme' });
  const ofMaker = { ...place, actor: `token:${maker.id}` };
  const two = { name: 'hr', scope: 'operate', org: 'acme', maker };
  const [one, another] = [await addToken(ofMaker, two), await addToken(ofMaker, two)];
  await bring({ client: `token:${one.id}` });
  await assert.rejects(approveCounted(workplaceFor(place, another), String(id), null, digest), /another person must/);
  assert.equal((await decide(sender, 'approve')).status, 422);
  assert.equal((await decide(other, 'approve')).status, 303);
  const records = await listAudit(place.control.read, 'acme');
  assert.equal(records.find(({ action }) => action === 'run.approved')!.actor, `web:${other.email}`);
});

test('the sender may discard their own upload', async (t) => {
  const site = await openTestConsole(t);
  const { person, place } = site;
  const admin = await person('admin', 'acme');
  const id = await hold(site, 'twoPersonApproval=yes');
  const { id: tokenId } = await addToken(
    { ...place, actor: `web:${admin.email}` },
    { name: 'hr', scope: 'upload', org: 'acme' },
  );
  await place.control
    .write('uploads')
    .where({ run_id: id })
    .update({ key_fingerprint: null, client: `token:${tokenId}` });
  const { digest } = (await getRun(place, String(id))).hold!;
  assert.equal((await admin.post(`/orgs/acme/imports/${id}/review`, { digest, decision: 'discard' })).status, 303);
});

test('an operator sees the values that an undo would restore and leave alone, then undoes the import', async (t) => {
  const { acme, person, place } = await openTestConsole(t);
  const operator = await person('operator');
  await acme.import({ 'users.csv': csv(header, ...rows) });
  const { run } = await acme.import({ 'users.csv': csv(header, 'user1@acme.test,Bea,', 'user2@acme.test,Cem,') });
  await acme.import({ 'users.csv': csv(header, 'user2@acme.test,Dan,') });
  const page = `/orgs/acme/imports/${run}`;
  assert.match((await operator.get(page)).text, new RegExp(`href="${page}/undo"`));
  const admin = await person('admin', 'acme');
  assert.doesNotMatch((await admin.get(page)).text, /\/undo"/);
  const shown = textOf(await operator.get(`${page}/undo`));
  assert.match(shown, /Values that it restores \(1\) .* user1@acme\.test First Name Bea Ann/);
  assert.match(
    shown,
    /Values that stay as they are \(1\) .* user2@acme\.test First Name Cem it was changed after the run/,
  );
  const done = await operator.post(`${page}/undo`, {});
  assert.equal(done.status, 303);
  const undo = /imports\/(\d+)\?done=undone/.exec(done.headers.get('location')!)![1]!;
  assert.deepEqual((await getRun(place, undo)).undoes, run);
  const nothing = await operator.get(`/orgs/acme/imports/${undo}/undo`);
  assert.equal(nothing.status, 422);
  assert.match(textOf(nothing), /applied nothing: it is open/);
});
