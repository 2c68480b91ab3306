/** Imports in the console: the sentence of Home, problems beside their rows, downloads, and decisions about held runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { sourceOfBytes } from '../../../importer/read/source.js';
import { readFileContent } from '../../../operations/files.js';
import { readChanges } from '../../../operations/problems.js';
import { getRun, rejectHeldRun } from '../../../operations/runs.js';
import { summaryOf } from '../../../operations/runsummary.js';
import { csv } from '../../support/company.js';
import { openTestConsole, type Person } from '../../support/console.js';

const header = 'User Email,First Name,Deactivation Date';
const rows = Array.from({ length: 12 }, (_, index) => `user${index}@acme.test,Ann,`);

const textOf = ({ text }: { text: string }) =>
  text
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/&#34;/g, '"')
    .replace(/\s+/g, ' ');

test('Home tells the last import in one sentence, and names what waits', async (t) => {
  const { acme, person, clock, place } = await openTestConsole(t);
  const viewer = await person('viewer', 'acme');
  const home = async () => textOf(await viewer.get('/orgs/acme'));
  assert.match(await home(), /No file has been imported yet\. Next import Wednesday 02:00 \(Berlin\)\./);
  await acme.import({ 'users.csv': csv(header, ...rows, 'no address,Bob,', ',Eve,') });
  assert.match(await home(), /Tuesday 12:00: 12 people up to date, 2 rows need you\. Next import Wednesday 02:00/);
  clock.now += 60_000;
  await acme.drop('/later.csv', csv(header, ...rows));
  assert.match(await home(), /\/later\.csv 294 B/);
  await acme.import({ 'later.csv': csv(header, ...rows) });
  assert.match(await home(), /12 people up to date, no row needs you/);
  await acme.import({ 'users.csv': csv('Name', 'Ann') });
  assert.match(await home(), /1 file could not be imported, and needs you/);
  const { run } = await acme.import({ 'users.csv': csv(header, ...rows.map((row) => `${row}2020-01-01`)) });
  assert.match(await home(), /an import waits for a decision; nothing of it is applied yet/);
  await rejectHeldRun(place, String(run), null);
  const discarded = await home();
  assert.match(discarded, /an import was discarded; nothing of it was applied\. Upload corrected files\./);
  assert.doesNotMatch(discarded, /up to date/);
  await place.control.write('runs').where({ id: run }).update({ state: 'failed', summary: null, failure: 'x' });
  const failed = await home();
  assert.match(failed, /an import failed\. Look at the import for the cause, and ask your operator\./);
  assert.doesNotMatch(failed, /up to date/);
});

test('each problem is beside the cells of its row, by kind and by page; the rows to mend can be downloaded', async (t) => {
  const { acme, person, place } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const wrong = Array.from({ length: 60 }, (_, index) => `bad${index},Name ${index},`);
  const { run } = await acme.import({
    'users.csv': csv(header, ...rows, ...rows, ...rows, ...rows, ...rows, ...wrong, 'eve@acme.test,Eve,31.02.2026'),
  });
  const page = `/orgs/acme/imports/${run}`;
  const first = await admin.get(page);
  const articles = (text: string) => text.match(/<article/g)?.length ?? 0;
  assert.equal(articles(first.text), 50);
  assert.match(textOf(first), /row rejected Line 62 · User Email .* is not a valid email address/);
  assert.match(first.text, /<td class="cells"><mark>bad0<\/mark><\/td><td>Name 0<\/td>/);
  const second = await admin.get(`${page}?file=0&from=50`);
  assert.equal(articles(second.text), 11);
  const kinds = [...first.text.matchAll(/kind=(\w+)/g)].map(([, kind]) => kind!);
  const dates = kinds.find((kind) => kind.includes('date'))!;
  const only = await admin.get(`${page}?file=0&kind=${dates}`);
  assert.equal(articles(only.text), 1);
  assert.match(only.text, /<mark>31\.02\.2026<\/mark>/);

  const link = /href="([^"]+)">Download the rows to mend/.exec(first.text)![1]!.replaceAll('&#38;', '&');
  const sent = await admin.get(link);
  assert.match(sent.headers.get('content-disposition')!, /^attachment; filename\*=UTF-8''users\.rejected\.csv$/);
  assert.equal(sent.text.trim().split('\n').length, 61);
  const reads = (await listAudit(place.control.read, 'acme')).filter(
    ({ action, actor }) => action === 'file.read' && actor === `web:${admin.email}`,
  );
  assert.ok(reads.some(({ subject }) => subject.endsWith('rejected.csv')));
});

test('a held run is approved with exactly the counted changes, or discarded, with a comment', async (t) => {
  const { acme, person, place } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  await acme.import({ 'users.csv': csv(header, ...rows) });
  const leave = (count: number) => csv(header, ...rows.slice(0, count).map((row) => `${row}2020-01-01`));
  const { run } = await acme.import({ 'users.csv': leave(12) });
  const page = `/orgs/acme/imports/${run}/review`;
  const shown = await admin.get(page);
  assert.match(textOf(shown), /would deactivate 12 of 13 active users.*Approve these 12 changes/);
  const digest = /name="digest" value="([^"]+)"/.exec(shown.text)![1]!;
  const decide = (form: Record<string, string>, at = page) =>
    admin.post(at, { digest, note: 'The office closes.', ...form });
  const stale = await decide({ decision: 'approve', digest: 'another' });
  assert.equal(stale.status, 422);
  assert.match(textOf(stale), /is held with other changes/);
  assert.match(stale.text, /The office closes\.<\/textarea>/, 'the comment is kept');
  const approved = await decide({ decision: 'approve' });
  assert.deepEqual(
    [approved.status, approved.headers.get('location')],
    [303, `/orgs/acme/imports/${run}?done=approved`],
  );
  const records = await listAudit(place.control.read, 'acme');
  const record = records.find(({ action }) => action === 'run.approved')!;
  assert.deepEqual([record.actor, record.detail.note], [`web:${admin.email}`, 'The office closes.']);
  const over = await decide({ decision: 'approve' });
  assert.match(textOf(over), /no longer waits for a decision/);

  const other = await openTestConsole(t);
  const second = await other.person('admin', 'acme');
  await other.acme.import({ 'users.csv': csv(header, ...rows) });
  const held = await other.acme.import({ 'users.csv': leave(12) });
  const discarded = await second.post(`/orgs/acme/imports/${held.run}/review`, {
    decision: 'discard',
    note: 'A mistake.',
  });
  assert.equal(discarded.headers.get('location'), `/orgs/acme/imports/${held.run}?done=discarded`);
  assert.match(textOf(await second.get(`/orgs/acme/imports/${held.run}`)), /discarded .*A mistake\./);
});

test('every change of an import can be reached, page by page', async (t) => {
  const { acme, person } = await openTestConsole(t);
  const viewer = await person('viewer', 'acme');
  const people = (name: string) => Array.from({ length: 450 }, (_, index) => `user${index}@acme.test,${name}`);
  await acme.import({ 'users.csv': csv('User Email,First Name', ...people('Ann')) });
  const { run } = await acme.import({
    'users.csv': csv(
      'User Email,First Name,Is Org Admin',
      ...people('Eve').map((row, at) => (at === 449 ? `${row},Yes` : `${row},`)),
    ),
  });
  const first = await viewer.get(`/orgs/acme/imports/${run}`);
  assert.match(textOf(first), / 200 of 451 changes, the most severe first/);
  assert.match(first.text, new RegExp(`<a href="/orgs/acme/imports/${run}/changes">Show all changes`));
  const reached: string[] = [];
  const counts: string[] = [];
  for (let path: string | undefined = `/orgs/acme/imports/${run}/changes`; path !== undefined; ) {
    const page = await viewer.get(path);
    assert.equal(page.status, 200);
    reached.push(
      ...[...page.text.matchAll(/people\/(user\d+)%40acme\.test">[^<]*<\/a><\/th><td>([^<]+)/g)].map(
        ([, who, what]) => `${who} ${what}`,
      ),
    );
    counts.push(/\d+ (?:to|of) [\d of]+ changes/.exec(textOf(page))![0]);
    assert.equal(page.text.includes('rel="prev"'), counts.length > 1);
    path = /href="([^"]+)" rel="next"/.exec(page.text)?.[1]?.replaceAll('&#38;', '&');
  }
  assert.deepEqual(counts, ['1 to 200 of 451 changes', '201 to 400 of 451 changes', '401 to 451 of 451 changes']);
  assert.equal(reached[0], 'user449 Is Org Admin', 'the most severe first');
  assert.deepEqual([reached.length, new Set(reached).size], [451, 451]);
  const odd = await viewer.get(`/orgs/acme/imports/${run}/changes?after=400-9-999999`);
  assert.equal(odd.status, 200);
});

test('the number of changes includes those that a long list leaves out, and pages end with the list', async (t) => {
  const { acme, person, place } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const many = csv('User Email', ...Array.from({ length: 10_007 }, (_, n) => `u${n}@acme.test`));
  const checked = await admin.post('/orgs/acme/check', { file: new File([many], 'users.csv', { type: 'text/csv' }) });
  assert.equal(checked.status, 200);
  assert.match(textOf(checked), / 100 of 10,007 changes, the most severe first/);

  await acme.import({ 'users.csv': csv(header, ...rows) });
  const { run } = await acme.import({ 'users.csv': csv(header, ...rows.map((row) => `${row}2020-01-01`)) });
  const { changes: path } = summaryOf(await getRun(place, String(run)))!;
  const pieces: Buffer[] = [];
  for await (const piece of readFileContent(place, 'acme', path!)) pieces.push(piece);
  const list = Buffer.concat(pieces).toString('utf8');
  const longer = list.replace(/(?:\r\n)+$/, '\r\n"and 40,000 more",,,,,,\r\n');
  const source = sourceOfBytes('run.changes.csv', Buffer.from(longer));
  const changes = await readChanges(place, source, { from: 10, most: 25 });
  assert.deepEqual([changes.rows.length, changes.listed, changes.total], [2, 12, 40_012]);
  assert.ok(changes.rows.every(({ kind }) => kind === 'user'));
});

test('a form that can not be carried out shows its page again, with the reason and the values', async (t) => {
  const { person } = await openTestConsole(t);
  const owner = await person('owner');
  const refused = async (one: Person, path: string, form: Record<string, string>, reason: RegExp, kept: string) => {
    const { status, text } = await one.post(path, form);
    assert.equal(status, 422, path);
    assert.match(textOf({ text }), reason);
    assert.match(text, /role="alert"/);
    assert.ok(text.includes(`value="${kept}"`) || text.includes(`${kept}</textarea>`), `${path} keeps ${kept}`);
  };
  await refused(
    owner,
    '/new',
    { id: 'Bad Id', name: 'X', owner: 'o@x.test', slot: '02:00', zone: 'UTC' },
    /can't be an organization's id/,
    'Bad Id',
  );
  await refused(
    owner,
    '/new',
    { id: 'new', name: 'X', owner: 'o@x.test', slot: 'noon', zone: 'UTC' },
    /Slot must be/,
    'noon',
  );
  await refused(owner, '/orgs/acme/settings', { 'set:slot': '25:00' }, /Slot must be/, '25:00');
  await refused(owner, '/orgs/acme/connection/keys', { key: 'no key' }, /./, 'no key');
  await refused(
    owner,
    '/orgs/acme/members/invite',
    { email: 'nonsense', role: 'admin' },
    /is no email address/,
    'nonsense',
  );
  await refused(
    owner,
    '/operators/tokens',
    { name: 'x', scope: 'read', expires: 'soon' },
    /is not a date; write it as/,
    'soon',
  );
  await refused(
    owner,
    '/orgs/acme/people/owner@acme.test',
    { label: 'Is Org Admin', value: 'perhaps' },
    /./,
    'perhaps',
  );
});

test('settings of an organization are changed, emptied to their default, and recorded', async (t) => {
  const { person, place } = await openTestConsole(t);
  const operator = await person('operator');
  const save = (form: Record<string, string>) => operator.post('/orgs/acme/settings', form);
  assert.equal(
    (await save({ 'set:slot': '03:30', 'set:encoding': 'windows-1252', 'set:name': 'Acme Corp' })).status,
    303,
  );
  const changed = await place.org('acme');
  assert.deepEqual([changed.slot, changed.options.encoding], ['03:30', 'windows-1252']);
  await save({ 'set:slot': '03:30', 'set:encoding': '' });
  assert.equal((await place.org('acme')).options.encoding, undefined);
  assert.equal((await operator.post('/orgs/acme/settings/disable', {})).status, 303);
  assert.equal((await place.org('acme')).enabled, false);
  assert.equal((await operator.post('/orgs/acme/settings/enable', { by: 'owner@acme.test' })).status, 303);
  assert.equal((await place.org('acme')).enabled, true);
  const records = (await listAudit(place.control.read, 'acme')).filter(
    ({ actor }) => actor === `web:${operator.email}`,
  );
  assert.deepEqual(
    records.map(({ action }) => action).filter((action) => action.startsWith('org.')),
    ['org.changed', 'org.changed', 'org.disabled', 'org.enabled'],
  );
});
