/** People at the console of the built program, in a real browser: a first operator, and the HR admins of a customer. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import SftpClient from 'ssh2-sftp-client';
import { totpCode } from '../../keys/login/totp.js';
import { openBrowser, withoutBrowser } from '../support/browser.js';
import { testPassword } from '../support/console.js';
import { type KeyPair, newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, type Served, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const header = 'User Email,First Name,Last Name,Deactivation Date';
const rows = Array.from({ length: 20 }, (_, index) => `p${index}@acme.test,Ann,Number${index},`);
const env = { DROPSLOT_CONSOLE: '127.0.0.1:0' };

interface Place {
  data: string;
  server: Served;
  /** The console's address. */
  site: string;
  browser: Browser;
  /** Of the HR system. */
  key: KeyPair;
}

async function openPlace(t: TestContext): Promise<Place> {
  const data = temporaryFolder(t);
  const server = await startServe(t, { data, env });
  const { port } = await server.waitForLog(({ message }) => message === 'the console listens');
  return { data, server, site: `http://127.0.0.1:${port}`, browser: await openBrowser(t), key: newKeyPair() };
}

/** A browser without scripts: the console needs none. */
function openContext({ browser }: Place, hasScripts: boolean): Promise<BrowserContext> {
  return browser.newContext({ javaScriptEnabled: hasScripts, acceptDownloads: true });
}

/** Follows an invitation to the end: to the start page of the new account. */
async function accept(place: Place, link: string, hasScripts = false): Promise<Page> {
  const page = await (await openContext(place, hasScripts)).newPage();
  await page.goto(place.site + new URL(link).pathname);
  const secret = (await page.textContent('.key'))!.replaceAll(' ', '');
  await page.getByLabel('New password').fill(testPassword);
  await page.getByLabel('Code that the app shows now').fill(totpCode(secret, Date.now()));
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  assert.equal(await page.locator('.codes li').count(), 10);
  await page.getByRole('link', { name: /go on/ }).click();
  return page;
}

/** A file of the HR system. */
async function drop({ server, key }: Pick<Place, 'server' | 'key'>, name: string, text: string): Promise<void> {
  const sftp = new SftpClient();
  await sftp.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
  await sftp.put(Buffer.from(text), name);
  await sftp.end();
}

/** By the operator's button; the path of the import, which has ended or is held. */
async function importNow({ server, site }: Place, boss: Page): Promise<string> {
  await boss.goto(`${site}/orgs/acme/settings`);
  await boss.getByRole('button', { name: 'Import the waiting files now' }).click();
  const { pathname } = new URL(boss.url());
  const isIt = (run: unknown) => pathname.endsWith(`/${run}`);
  await server.waitForLog(({ message, run }) => /^run (done|held)/.test(message) && isIt(run));
  return pathname;
}

test('a first operator sets up an organization and hands over the sheet; its people send, mend, rotate, review; a lost file is found', {
  skip: withoutBrowser,
  timeout: 300_000,
}, async (t) => {
  const place = await openPlace(t);
  const boss = await setUpServer(place);
  const [invitation, other] = await setUpOrganization(place, boss);
  await handOver(boss);
  const hr = await mendRow(place, boss, invitation!);
  const fresh = await rotateKey(place, hr);
  await approveHeld({ ...place, key: fresh }, boss, hr, other!);
  await findFile({ ...place, key: fresh }, boss, place.key);
  assert.equal(await place.server.stop(), 0);
});

/** From the command line to the overview. */
async function setUpServer(place: Place): Promise<Page> {
  const invite = ['console', 'invite', 'boss@operator.test', '--role', 'owner'];
  const { link } = await askDropslot<{ link: string }>(invite, { data: place.data, env });
  const boss = await accept(place, link);
  await boss.getByRole('heading', { name: 'Overview' }).waitFor();
  return boss;
}

/** With the key of its HR system; the invitations of two admins. */
async function setUpOrganization({ key }: Place, boss: Page): Promise<string[]> {
  await boss.getByRole('link', { name: 'Add an organization' }).click();
  await boss.getByLabel('Id', { exact: true }).fill('acme');
  await boss.getByLabel('Name', { exact: true }).fill('Acme Corp');
  await boss.getByLabel('Email of its owner').fill('owner@acme.test');
  await boss.getByLabel('Time zone').fill('Europe/Berlin');
  await boss.getByLabel('Enable SFTP access: an admin').check();
  await boss.getByRole('button', { name: 'Add it' }).click();
  await boss.getByText('SFTP access is enabled', { exact: true }).waitFor();
  await boss.getByRole('link', { name: 'Connection' }).click();
  await boss.getByText('ssh-ed25519 (').waitFor();
  await boss
    .getByLabel('Public key', { exact: true })
    .first()
    .fill(`${key.public.algorithm} ${key.public.publicKey} hr-system`);
  await boss.getByRole('button', { name: 'Add the key' }).click();
  await boss.getByRole('rowheader', { name: key.public.fingerprint }).waitFor();
  const links: string[] = [];
  for (const email of ['hr@acme.test', 'chief@acme.test']) {
    await boss.getByRole('link', { name: 'Members', exact: true }).click();
    await boss.getByLabel('Email').fill(email);
    await boss.locator('section select[name=role]').selectOption('admin');
    await boss.getByRole('button', { name: 'Make the invitation' }).click();
    links.push((await boss.textContent('.invitation'))!);
  }
  return links;
}

/** The sheet has everything that a sender needs, and prints without the frame of the page. */
async function handOver(boss: Page): Promise<void> {
  await boss.getByRole('link', { name: 'Settings' }).click();
  await boss.getByRole('link', { name: 'Welcome sheet' }).click();
  const sheet = (await boss.locator('pre.sheet').textContent())!;
  assert.match(sheet, /Host +127\.0\.0\.1\s+Port +\d+\s+User +acme/);
  assert.match(sheet, /Ed25519 +SHA256:/);
  await boss.emulateMedia({ media: 'print' });
  assert.equal(await boss.locator('nav.side').isVisible(), false);
  assert.equal(await boss.locator('pre.sheet').isVisible(), true);
  await boss.emulateMedia({ media: null });
}

/** A file by SFTP, its problem beside the row, the row mended and sent again. */
async function mendRow(place: Place, boss: Page, invitation: string): Promise<Page> {
  await drop(place, '/users.csv', [header, ...rows, 'bob at acme.test,Bob,Example,', ''].join('\n'));
  const hr = await accept(place, invitation);
  await hr.getByText('/users.csv').waitFor();
  await importNow(place, boss);
  await hr.reload();
  await hr.getByText('20 people up to date, 1 row needs you').waitFor();
  await hr.getByRole('link', { name: 'Look at the import' }).click();
  const problem = hr.locator('article').filter({ hasText: 'Line 22' });
  assert.match((await problem.textContent())!, /not a valid email address/);
  assert.equal(await problem.locator('td.cells mark').textContent(), 'bob at acme.test');
  assert.deepEqual((await problem.locator('td').allTextContents()).slice(1, 3), ['Bob', 'Example']);
  const link = hr.getByRole('link', { name: 'Download the rows to mend' });
  const [download] = await Promise.all([hr.waitForEvent('download'), link.click()]);
  const mended = (await readFile((await download.path())!, 'utf8')).replace('bob at acme.test', 'bob@acme.test');
  assert.equal(mended.trim().split('\n').length, 2);
  await drop(place, '/mended.csv', mended);
  await hr.goto(place.site + (await importNow(place, boss)));
  await hr.getByText('No problems: every row was read as it is.').waitFor();
  return hr;
}

/** The customer adds a new key, uploads with it, sees its use, and revokes the old one. */
async function rotateKey(place: Place, hr: Page): Promise<KeyPair> {
  const { server, key: old } = place;
  const fresh = newKeyPair();
  const { algorithm, publicKey, fingerprint } = fresh.public;
  const open = () => hr.goto(`${place.site}/orgs/acme/connection`);
  const rowOf = (pair: KeyPair) =>
    hr
      .getByRole('region', { name: 'Keys that may log in' })
      .getByRole('row')
      .filter({ hasText: pair.public.fingerprint });
  await open();
  await hr.getByLabel('Public key', { exact: true }).first().fill(`${algorithm} ${publicKey} hr-system-2`);
  await hr.getByRole('button', { name: 'Add the key' }).click();
  await hr.getByText('Added.').waitFor();
  assert.match((await rowOf(fresh).textContent())!, /added by hr@acme\.test.*never/);
  await drop({ server, key: fresh }, '/dry-run/users.csv', [header, ...rows, ''].join('\n'));
  await open();
  assert.match((await rowOf(fresh).textContent())!, /127\.0\.0\.1/);
  await rowOf(old).getByRole('button', { name: 'Revoke' }).click();
  await hr.getByText('Revoked: it can no longer be used.').waitFor();
  await assert.rejects(drop({ server, key: old }, '/late.csv', header));
  const refused = hr
    .getByRole('region', { name: 'Last connections' })
    .getByRole('row')
    .filter({ hasText: 'the key is revoked' });
  // The refusal is recorded after its answer.
  await until(async () => (await open()) !== null && (await refused.count()) > 0, 'the refusal');
  const text = (await refused.first().textContent())!;
  assert.deepEqual([text.includes(old.public.fingerprint), text.includes(fingerprint)], [true, false]);
  return fresh;
}

/** Too many deactivations wait for a decision, which the person whose key sent them can not approve; another admin can. */
async function approveHeld(place: Place, boss: Page, hr: Page, invitation: string): Promise<void> {
  const { server, site, data } = place;
  const limits = async (page: Page, name: string, value: string) => {
    await page.getByText('Approval limits').click();
    await page.getByLabel(name).fill(value);
    await page.locator('details[open]').getByRole('button', { name: 'Save these settings' }).click();
  };
  const [old, older] = [await boss.context().newPage(), await boss.context().newPage()];
  for (const page of [boss, old, older]) await page.goto(`${site}/orgs/acme/settings`);
  await limits(boss, 'twoPersonApproval', 'yes');
  await boss.getByText('Saved.').waitFor();
  // Pages from before the change neither undo it nor overwrite it unseen.
  await limits(old, 'maxCreations', '60%');
  await old.getByText('Saved.').waitFor();
  await limits(older, 'twoPersonApproval', 'no');
  await older.getByText('The setting twoPersonApproval was changed meanwhile').waitFor();
  await older.getByText('Changed meanwhile: now it is yes').waitFor();
  assert.equal(await older.getByLabel('twoPersonApproval').inputValue(), 'no');
  assert.equal(await older.getByLabel('maxCreations').inputValue(), '60%');
  for (const page of [old, older]) await page.close();
  await drop(place, '/users.csv', [header, ...rows.map((row) => `${row}2020-01-31`), ''].join('\n'));
  const held = await importNow(place, boss);
  await hr.goto(`${site}${held}/review`);
  await hr.getByText('so another person must approve').waitFor();
  assert.equal(await hr.getByRole('button', { name: /Approve/ }).count(), 0);
  const chief = await accept(place, invitation, true);
  await chief.getByRole('link', { name: 'Review it' }).click();
  await chief.getByText('The import would deactivate 20 of').waitFor();
  assert.equal(await chief.getByRole('row').filter({ hasText: '2020-01-31' }).count(), 20);
  await chief.getByLabel('Comment').fill('The office closes.');
  await chief.getByRole('button', { name: 'Approve these 20 changes' }).click();
  await server.waitForLog(({ message, run }) => message === 'run done' && held.endsWith(`/${run}`));
  // With scripts the page follows the import by itself.
  await chief.locator('.tag', { hasText: 'imported' }).waitFor();
  await chief.getByText('The office closes.').waitFor();
  const { stdout } = await runDropslot(['audit', 'export'], { data, env });
  assert.match(stdout, /"actor":"web:chief@acme.test","action":"run.approved"/);
}

/** One page answers: the sender still uses the old key; then its file waits for its rename. */
async function findFile(place: Place, boss: Page, old: KeyPair): Promise<void> {
  const { server, site } = place;
  await assert.rejects(drop({ server, key: old }, '/late.csv', header));
  await boss.goto(`${site}/`);
  await boss.getByRole('link', { name: 'Missing files' }).click();
  const ask = async () => {
    await boss.getByLabel('Organization', { exact: true }).fill('acme');
    await boss.getByLabel('Name of the file').fill('late');
    await boss.getByRole('button', { name: 'Find out' }).click();
  };
  const reason = boss.getByText('refused since the last login or file: the key is revoked');
  await until(async () => {
    await ask();
    return (await reason.count()) > 0;
  }, 'the refusal');
  await boss.getByText('No upload with "late" in its name has arrived.').waitFor();
  await drop(place, '/late.csv.part', [header, rows[0], ''].join('\n'));
  await ask();
  await boss.getByText('waits for its rename to a final name').first().waitFor();
}
