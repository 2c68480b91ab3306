/** Two people at one form: a value that one of them changed is neither written back by the other's old page, nor overwritten unseen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLoginKey } from '../../../db/control/keys.js';
import { changeRole, findPerson } from '../../../operations/accounts/people.js';
import { setKey } from '../../../operations/loginkeys.js';
import { setNotification } from '../../../operations/notify.js';
import { listNotifications } from '../../../operations/notifyaddress.js';
import { setOrganization } from '../../../operations/orgs.js';
import { readAssignments } from '../../../operations/orgsettings/orgsettings.js';
import { addSubscriber, mailKind } from '../../../operations/subscribers.js';
import { judgeSent } from '../../../web/console/shown.js';
import { openTestConsole, type Person, type Shown } from '../../support/console.js';
import { allowKey, newKeyPair } from '../../support/keys.js';

const textOf = ({ text }: { text: string }) => text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
const decode = (text: string) => text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

/** The fields of the form that has this one, as a browser would send them. */
function fieldsOf({ text }: Shown, holds: string): Record<string, string> {
  const form = text.match(/<form [\s\S]*?<\/form>/g)!.find((one) => one.includes(holds));
  assert.ok(form !== undefined, `no form has ${holds}`);
  const attribute = (tag: string, name: string) => decode(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
  const inputs = form
    .match(/<input [^>]*>/g)!
    .filter((tag) => !tag.includes('type="checkbox"') || tag.includes(' checked'));
  const fields = Object.fromEntries(inputs.map((tag) => [attribute(tag, 'name'), attribute(tag, 'value')]));
  const chosen = /<option[^>]* selected>([^<]*)/.exec(form)?.[1];
  return chosen === undefined ? fields : { ...fields, role: chosen };
}

const settings = '/orgs/acme/settings';
const limit = 'name="set:maxDeactivations"';
const isSaved = ({ headers, text }: Shown) =>
  assert.match(headers.get('location') ?? '', /\?done=saved$/, textOf({ text }));

test('a value is written where the person changed it, and no other person did', () => {
  const judge = (given: string | undefined, before: string | undefined, present: string) =>
    judgeSent(
      { ...(given !== undefined && { x: given }), ...(before !== undefined && { 'shown:x': before }) },
      'x',
      present,
    );
  assert.equal(judge('a', 'a', 'b'), 'unchanged');
  assert.equal(judge('b', 'a', 'b'), 'unchanged');
  assert.equal(judge('b', 'a', 'a'), 'changed');
  assert.equal(judge('', 'a', 'a'), 'changed');
  assert.equal(judge('b', 'a', 'c'), 'outdated');
  assert.equal(judge(' a\r\n', 'a', 'b'), 'unchanged');
  // An input has no breaks of lines, and a hidden field has others than the value.
  assert.equal(judge('ab', 'a\r\nb', 'a\nb'), 'unchanged');
  assert.equal(judge('c', 'a\r\nb', 'a\nb'), 'changed');
  assert.equal(judge('b', undefined, 'a'), 'changed', 'a script that sends no shown value');
  assert.equal(judge(undefined, 'a', 'b'), 'unchanged');
  assert.equal(judge(undefined, undefined, 'b'), 'unchanged');
});

test('an old page of the settings does not undo the change of another person', async (t) => {
  const { place, person } = await openTestConsole(t);
  const operator = await person('operator');
  const change = (...assignments: string[]) => setOrganization(place, 'acme', readAssignments(assignments));
  const options = async () => (await place.org('acme')).options;
  await change('aliases=Chef=Manager Email');
  const old = fieldsOf(await operator.get(settings), limit);
  await change('twoPersonApproval=yes');
  isSaved(await operator.post(settings, { ...old, 'set:maxDeactivations': '20%' }));
  const saved = await options();
  assert.deepEqual([saved.twoPersonApproval, saved.maxDeactivations], [true, '20%']);

  // Both changed the same one: the page shows both values, and the second save replaces the other one knowingly.
  const stale = fieldsOf(await operator.get(settings), limit);
  await change('maxDeactivations=5%', 'twoPersonApproval=no', 'maxCreations=40%');
  const wanted = { 'set:maxDeactivations': '30%', 'set:maxCreations': '41%' };
  const refused = await operator.post(settings, { ...stale, ...wanted });
  assert.equal(refused.status, 422);
  assert.match(
    textOf(refused),
    /The settings maxDeactivations, maxCreations were changed meanwhile: look at their present values below, then save again/,
  );
  assert.match(textOf(refused), /Changed meanwhile: now it is 5%/);
  assert.deepEqual((await options()).maxDeactivations, '5%');
  const again = fieldsOf(refused, limit);
  assert.deepEqual(
    ['set:maxDeactivations', 'shown:set:maxDeactivations', 'set:twoPersonApproval'].map((name) => again[name]),
    ['30%', '5%', 'no'],
  );
  isSaved(await operator.post(settings, again));
  const end = await options();
  assert.deepEqual([end.maxDeactivations, end.twoPersonApproval], ['30%', false]);
});

test('a page that is shown again after a mistake has the present values of the settings that were left alone', async (t) => {
  const { place, person } = await openTestConsole(t);
  const operator = await person('operator');
  const old = fieldsOf(await operator.get(settings), limit);
  await setOrganization(place, 'acme', readAssignments(['twoPersonApproval=yes']));
  const refused = await operator.post(settings, { ...old, 'set:maxDeactivations': 'many' });
  assert.equal(refused.status, 422);
  const again = fieldsOf(refused, limit);
  assert.deepEqual([again['set:maxDeactivations'], again['set:twoPersonApproval']], ['many', 'yes']);
  isSaved(await operator.post(settings, { ...again, 'set:maxDeactivations': '' }));
  assert.equal((await place.org('acme')).options.twoPersonApproval, true);
});

/** Both people have the page; the first one's change is made, then the second one sends the form as it is, and then with a change. */
async function sendOld(
  one: Person,
  { page, to, holds, change }: { page: string; to: string; holds: string; change: Record<string, string> },
  meanwhile: () => Promise<unknown>,
): Promise<Shown> {
  const old = fieldsOf(await one.get(page), holds);
  await meanwhile();
  isSaved(await one.post(to, old));
  const refused = await one.post(to, { ...old, ...change });
  assert.equal(refused.status, 422);
  return refused;
}

test('an old page of the members does not give a role back', async (t) => {
  const { place, person } = await openTestConsole(t);
  const [owner, two] = [await person('owner'), await person('operator')];
  const page = '/operators';
  const { id } = await findPerson(place, two.email);
  const asked = { page, to: `${page}/role`, holds: `id="role-${id}"`, change: { role: 'auditor' } };
  const refused = await sendOld(owner, asked, () => changeRole(place, two.email, 'read-only'));
  assert.match(
    textOf(refused),
    new RegExp(`The role of ${two.email} was changed meanwhile, to read-only: look at it again`),
  );
  assert.equal((await findPerson(place, two.email)).role, 'read-only');
  isSaved(await owner.post(`${page}/role`, { ...fieldsOf(refused, asked.holds), role: 'auditor' }));
  assert.equal((await findPerson(place, two.email)).role, 'auditor');
});

test('an old page of the connection does not open addresses again', async (t) => {
  const { place, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const pair = newKeyPair();
  await allowKey(place.control, 'acme', pair);
  const { fingerprint } = pair.public;
  const page = '/orgs/acme/connection';
  const holds = `id="from-${fingerprint}"`;
  const asked = { page, to: `${page}/addresses`, holds, change: { from: '198.51.100.0/24' } };
  const narrow = () => setKey(place, 'acme', fingerprint, { sources: ['192.0.2.7/32'] });
  const refused = await sendOld(admin, asked, narrow);
  assert.match(textOf(refused), /The addresses of the key SHA256:\S+ were changed meanwhile/);
  const sources = async () => (await findLoginKey(place.control.read, 'acme', fingerprint))!.sources;
  assert.deepEqual(await sources(), ['192.0.2.7/32']);
  const again = fieldsOf(refused, holds);
  assert.equal(again.from, '198.51.100.0/24');
  isSaved(await admin.post(asked.to, again));
  assert.deepEqual(await sources(), ['198.51.100.0/24']);
});

test('an old page of the notifications does not bring kinds of mail back', async (t) => {
  const { place, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const page = '/orgs/acme/notifications';
  const address = 'hr@acme.test';
  const subscriber = { org: 'acme', types: ['run.held'], secret: null, description: null };
  await addSubscriber(place, mailKind, { ...subscriber, options: { address, lang: 'en' } });
  await setNotification(place, 'acme', address, 'held,missing');
  const holds = `id="on-held-${address}"`;
  const asked = { page, to: `${page}/set`, holds, change: { 'on-weekly': 'on' } };
  const refused = await sendOld(admin, asked, () => setNotification(place, 'acme', address, 'refused'));
  assert.match(textOf(refused), /The mails to hr@acme\.test were changed meanwhile/);
  const kinds = async () => (await listNotifications(place, 'acme'))[0]!.events;
  assert.deepEqual(await kinds(), ['refused']);
  isSaved(await admin.post(asked.to, fieldsOf(refused, holds)));
  assert.ok((await kinds()).includes('weekly'));
});
