/** An export behind a link in a mail: shown as often as a program opens it, downloaded once, by the admin who may have it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import { linkedExportsRoot } from '../../db/control/treelayout.js';
import { removeExpired, removeMailedExports } from '../../importer/schedule/retention.js';
import { beginDownload, offerDownload } from '../../operations/exports/downloads.js';
import { linkOrigin, type MailStep, mailExport } from '../../operations/exports/mailed.js';
import { walkFiles } from '../../operations/files.js';
import { removeOrganization } from '../../operations/orgs.js';
import { deactivateUser } from '../../operations/people/users.js';
import type { Workplace } from '../../operations/workplace.js';
import { Company, csv, importMoment } from '../support/company.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { beforeTransaction } from '../support/interleave.js';
import { openMailbox } from '../support/mailbox.js';
import { workplaceOn } from '../support/workplace.js';

const origin = 'https://hr-files.example';
const hourMs = 3_600_000;

async function open(t: TestContext, fresh: Parameters<typeof Company.open>[0]) {
  const mailbox = await openMailbox(t);
  const acme = await Company.open(fresh, t, { name: 'Acme & Söhne' });
  await acme.import({
    'users.csv': csv('User Email,User Name,Is Org Admin', 'ann@acme.test,Ann,Yes', 'bob@acme.test,Bob,No'),
  });
  const settings = { ...acme.databases.settings, ...mailbox.settings, console: '127.0.0.1:8023', consoleUrl: origin };
  const place: Workplace = { ...(await workplaceOn(t, settings)), now: () => acme.clock };
  const { control, directory, paths } = place;
  const send = async () => {
    const sent = await mailExport(place, 'acme', 'ann@acme.test');
    return { ...sent, token: tokenOf(mailbox.mails.at(-1)!.text!) };
  };
  const rows = async () => [
    await control.read('downloads').pluck('hash'),
    await control.read('entries').where({ org_id: 'acme', dir: linkedExportsRoot }).pluck('name'),
  ];
  const actions = () => control.read('audit').where('action', 'like', 'export.%').orderBy('seq').pluck('action');
  const deps = { control, directory, paths, settings: place.settings, now: () => acme.clock };
  const retain = () => removeMailedExports({ ...deps, logger: createSilentLogger() });
  const sweep = () => removeExpired({ ...deps, logger: createSilentLogger() });
  return { ...mailbox, acme, place, send, rows, actions, retain, sweep };
}

const tokenOf = (text: string) => new RegExp(`^${origin}/d/([\\w-]{43})$`, 'm').exec(text)![1]!;

async function take(place: Workplace, token: string): Promise<string | null> {
  const begun = await beginDownload(place, token, '192.0.2.7');
  if (begun === null) return null;
  const pieces: Buffer[] = [];
  for await (const piece of begun.content) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).length, begun.size);
  return Buffer.concat(pieces).toString();
}

onBothDatabases('a link is shown often, downloads once, and leaves nothing', (fresh) =>
  test('once', async (t) => {
    const { place, acme, mails, send, rows, actions } = await open(t, fresh);
    const { to, path, until, token } = await send();
    assert.deepEqual([to, path, until], ['ann@acme.test', null, acme.clock + 24 * hourMs]);
    const { text, html } = mails[0]!;
    assert.match(text!.replace(/\s+/g, ' '), /before 2026-03-11 12:00 \(Europe\/Berlin\)/);
    assert.match(html as string, new RegExp(`href="${origin}/d/${token}"`));
    assert.doesNotMatch(text!, /bob@acme|by-link/);
    const stored = JSON.stringify([await place.control.read('downloads'), await place.control.read('audit')]);
    assert.ok(!stored.includes(token), 'only the hash of the token is stored');
    // No client, no list of files, and no operator's "files cat" reaches it.
    for await (const file of walkFiles(place, 'acme', '/')) assert.doesNotMatch(file.path, /by-link|users-2026/);
    for (let n = 0; n < 3; n++)
      assert.deepEqual(
        { ...(await offerDownload(place, token))!, org: null, size: 0 },
        { org: null, name: (await rows())[1]![0], size: 0, until },
      );
    assert.match((await take(place, token))!, /^User Email,[\s\S]*ann@acme.test[\s\S]*bob@acme.test/);
    assert.deepEqual(await rows(), [[], []]);
    assert.equal(await offerDownload(place, token), null);
    assert.equal(await take(place, token), null);
    assert.deepEqual(await actions(), ['export.link_made', 'export.mailed', 'export.downloaded']);
    const last = await place.control.read('audit').where({ action: 'export.downloaded' }).first();
    assert.match(last.actor, /^link:[0-9a-f]{12}$/);
    assert.match(last.detail, /"address":"192\.0\.2\.7"/);
  }),
);

onBothDatabases('of two who press the button at once one gets the file', (fresh) =>
  test('once', async (t) => {
    const { place, send } = await open(t, fresh);
    const { token } = await send();
    const taken = await Promise.all(Array.from({ length: 6 }, () => beginDownload(place, token, null)));
    const begun = taken.filter((one) => one !== null);
    assert.equal(begun.length, 1);
    for await (const _ of begun[0]!.content);
    assert.equal(await offerDownload(place, token), null);
  }),
);

test('a download that broke off may begin again for some minutes, five times in all', async (t) => {
  const { place, acme, send, actions, rows } = await open(t, (scope) => openFresh(scope, 'sqlite'));
  const { token } = await send();
  const breakOff = async () => {
    const { content } = (await beginDownload(place, token, null))!;
    await content.next();
    assert.equal(await beginDownload(place, token, null), null, 'not while it is under way');
    await content.return(undefined);
  };
  await breakOff();
  acme.clock += 10 * 60_000 - 1;
  for (let n = 0; n < 4; n++) {
    assert.notEqual(await offerDownload(place, token), null);
    await breakOff();
  }
  assert.equal(await offerDownload(place, token), null);
  assert.equal((await actions()).filter((action) => action === 'export.download_broken').length, 5);
  // The attempts of two who found the link at the same moment count twice.
  const shared = await send();
  const meanwhile = async () => {
    const { content } = (await beginDownload(place, shared.token, null))!;
    await content.next();
    await content.return(undefined);
  };
  const slower = await beginDownload(
    { ...place, control: beforeTransaction(place.control, meanwhile) },
    shared.token,
    null,
  );
  await slower!.content.next();
  await slower!.content.return(undefined);
  for (let n = 0; n < 3; n++) await meanwhile();
  assert.equal(await offerDownload(place, shared.token), null);
  const late = await send();
  const { content } = (await beginDownload(place, late.token, null))!;
  await content.next();
  await content.return(undefined);
  acme.clock += 10 * 60_000;
  assert.equal(await offerDownload(place, late.token), null);
  // A process that was killed says nothing: its hold ends by itself.
  const killed = await send();
  const stale = (await beginDownload(place, killed.token, null))!.content;
  await stale.next();
  acme.clock += 180_000 - 1;
  assert.equal(await offerDownload(place, killed.token), null);
  acme.clock += 1;
  const again = (await beginDownload(place, killed.token, null))!.content;
  await again.next();
  await stale.return(undefined);
  assert.equal(
    await offerDownload(place, killed.token),
    null,
    'the stale download does not free the link of another one',
  );
  for await (const _ of again);
  assert.equal((await rows())[0]!.length, 3);
});

test('a link that is expired, unknown, of a removed organization or of a former admin is unusable', async (t) => {
  const { place, acme, send, rows, retain, sweep } = await open(t, (scope) => openFresh(scope, 'sqlite'));
  const { token } = await send();
  for (const wrong of ['', 'x', `${token}a`, token.slice(1), `${token.slice(0, -1)}_`, '%00', 'a'.repeat(43)])
    assert.equal(await offerDownload(place, wrong), null, wrong);
  acme.clock = importMoment + 24 * hourMs - 1;
  assert.notEqual(await offerDownload(place, token), null);
  assert.equal(await retain(), 0);
  acme.clock += 1;
  assert.equal(await offerDownload(place, token), null);
  assert.equal(await take(place, token), null);
  assert.equal(await retain(), 1);
  assert.deepEqual(await rows(), [[], []]);
  const former = await send();
  await deactivateUser(place, 'acme', 'ann@acme.test', null);
  assert.equal(await offerDownload(place, former.token), null);
  assert.equal(await take(place, former.token), null);
  await removeOrganization(place, 'acme');
  assert.equal(await offerDownload(place, former.token), null);
  assert.deepEqual(await rows(), [[], []]);
  assert.equal((await sweep()).orphans, 0);
});

test('without its mail there is no link; a kill between the two leaves one that no one has', async (t) => {
  const { place, acme, mails, state, send, rows, retain, actions } = await open(t, (scope) =>
    openFresh(scope, 'sqlite'),
  );
  state.refuses = true;
  await assert.rejects(send(), { code: 'unavailable' });
  assert.deepEqual([await rows(), mails.length], [[[], []], 0]);
  state.refuses = false;
  for (const step of ['stored', 'sent'] satisfies MailStep[]) {
    const kill = (at: MailStep) => {
      if (at === step) throw new Error('killed');
    };
    await assert.rejects(mailExport(place, 'acme', 'ann@acme.test', {}, kill), /killed/);
  }
  assert.equal((await rows())[0]!.length, 2);
  assert.equal(mails.length, 1);
  assert.match((await take(place, tokenOf(mails[0]!.text!)))!, /bob@acme/);
  assert.deepEqual(await actions(), [
    ...['export.link_made', 'export.link_made', 'export.link_made', 'export.downloaded'],
  ]);
  acme.clock += 24 * hourMs;
  assert.equal(await retain(), 1);
  assert.deepEqual(await rows(), [[], []]);
});

test('a link needs HTTPS of the console', () => {
  const cases: [Parameters<typeof linkOrigin>[0], string | null][] = [
    [{ console: undefined, consoleUrl: origin, apiTlsCert: undefined }, null],
    [{ console: '127.0.0.1:8023', consoleUrl: undefined, apiTlsCert: undefined }, null],
    [{ console: '127.0.0.1:8023', consoleUrl: 'http://localhost:8023', apiTlsCert: undefined }, null],
    [{ console: '127.0.0.1:8023', consoleUrl: origin, apiTlsCert: undefined }, origin],
    [{ console: 'hr.example:443', consoleUrl: undefined, apiTlsCert: '/c.pem' }, 'https://hr.example:443'],
  ];
  for (const [settings, expected] of cases) assert.equal(linkOrigin(settings), expected);
});
