/** People at the console of the built program, in a real browser: a first operator, and the HR admins of a customer. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import SftpClient from 'ssh2-sftp-client';
import { totpCode } from '../../keys/login/totp.js';
import { openBrowser, withoutBrowser } from '../support/browser.js';
import { testPassword } from '../support/console.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const header = 'User Email,First Name,Last Name,Deactivation Date';

/** Follows an invitation to the end; the page shows the start page of the account then. */
async function accept(context: BrowserContext, link: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(link);
  const secret = (await page.textContent('.key'))!.replaceAll(' ', '');
  await page.getByLabel('New password').fill(testPassword);
  await page.getByLabel('Code that the app shows now').fill(totpCode(secret, Date.now()));
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  assert.equal(await page.locator('.codes li').count(), 10);
  await page.getByRole('link', { name: /go on/ }).click();
  return page;
}

/** Pages of a browser without scripts: the console needs none. */
const open = (browser: Browser) => browser.newContext({ javaScriptEnabled: false, acceptDownloads: true });

test('an operator sets up an organization; its HR admin mends a row, and another one approves a held import', {
  skip: withoutBrowser,
  timeout: 180_000,
}, async (t) => {
  const data = temporaryFolder(t);
  const env = { DROPSLOT_CONSOLE: '127.0.0.1:0' };
  const server = await startServe(t, { data, env });
  const { port } = await server.waitForLog(({ message }) => message === 'the console listens');
  const site = `http://127.0.0.1:${port}`;
  const browser = await openBrowser(t);

  // The first operator, from the command line to an organization whose people are invited.
  const invite = ['console', 'invite', 'boss@operator.test', '--role', 'owner'];
  const { link } = await askDropslot<{ link: string }>(invite, { data, env });
  const boss = await accept(await open(browser), site + new URL(link).pathname);
  await boss.getByRole('heading', { name: 'Overview' }).waitFor();
  await boss.getByRole('link', { name: 'Add an organization' }).click();
  await boss.getByLabel('Id', { exact: true }).fill('acme');
  await boss.getByLabel('Name', { exact: true }).fill('Acme Corp');
  await boss.getByLabel('Email of its owner').fill('owner@acme.test');
  await boss.getByLabel('Time zone').fill('Europe/Berlin');
  await boss.getByLabel('Enable SFTP access: an admin').check();
  await boss.getByRole('button', { name: 'Add it' }).click();
  await boss.getByText('SFTP access is enabled', { exact: true }).waitFor();

  const key = newKeyPair();
  await boss.getByRole('link', { name: 'Connection' }).click();
  await boss.getByText('ssh-ed25519 (').waitFor();
  await boss.getByLabel('Public key').fill(`${key.public.algorithm} ${key.public.publicKey} hr-system`);
  await boss.getByRole('button', { name: 'Add the key' }).click();
  await boss.getByRole('rowheader', { name: key.public.fingerprint }).waitFor();
  const inviteMember = async (email: string) => {
    await boss.getByRole('link', { name: 'Members', exact: true }).click();
    await boss.getByLabel('Email').fill(email);
    await boss.locator('section select[name=role]').selectOption('admin');
    await boss.getByRole('button', { name: 'Make the invitation' }).click();
    return (await boss.textContent('.invitation'))!;
  };
  const invitation = await inviteMember('hr@acme.test');
  const second = await inviteMember('chief@acme.test');

  // The HR admin: a file by SFTP, the problem beside its row, the row mended.
  const drop = async (name: string, text: string) => {
    const sftp = new SftpClient();
    await sftp.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
    await sftp.put(Buffer.from(text), name);
    await sftp.end();
  };
  const importNow = async () => {
    await boss.goto(`${site}/orgs/acme/settings`);
    await boss.getByRole('button', { name: 'Import the waiting files now' }).click();
    const run = new URL(boss.url()).pathname;
    await server.waitForLog(
      ({ message, run: id }) => /^run (done|held)/.test(message) && String(id) === run.split('/').at(-1),
    );
    return run;
  };
  const rows = Array.from({ length: 20 }, (_, index) => `p${index}@acme.test,Ann,Number${index},`);
  await drop('/users.csv', [header, ...rows, 'bob at acme.test,Bob,Example,', ''].join('\n'));
  const hr = await accept(await open(browser), invitation);
  await hr.getByRole('heading', { name: 'Acme Corp' }).waitFor();
  await hr.getByText('/users.csv').waitFor();
  await importNow();
  await hr.reload();
  await hr.getByText('20 people up to date, 1 row needs you').waitFor();
  await hr.getByRole('link', { name: 'Look at the import' }).click();
  const problem = hr.locator('article').filter({ hasText: 'Line 22' });
  assert.match((await problem.textContent())!, /not a valid email address/);
  assert.equal(await problem.locator('td.cells mark').textContent(), 'bob at acme.test');
  assert.deepEqual((await problem.locator('td').allTextContents()).slice(1, 3), ['Bob', 'Example']);
  const [download] = await Promise.all([
    hr.waitForEvent('download'),
    hr.getByRole('link', { name: 'Download the rows to mend' }).click(),
  ]);
  const mended = (await readFile((await download.path())!, 'utf8')).replace('bob at acme.test', 'bob@acme.test');
  assert.equal(mended.trim().split('\n').length, 2);
  await drop('/mended.csv', mended);
  const clean = await importNow();
  await hr.goto(site + clean);
  await hr.getByText('No problems: every row was read as it is.').waitFor();

  // A held import, which another admin of the organization approves.
  await drop('/users.csv', [header, ...rows.map((row) => `${row}2020-01-31`), ''].join('\n'));
  const held = await importNow();
  const chief = await accept(await open(browser), second);
  await chief.getByRole('link', { name: 'Review it' }).click();
  await chief.getByText('The import would deactivate 20 of').waitFor();
  assert.equal(await chief.getByRole('row').filter({ hasText: '2020-01-31' }).count(), 20);
  await chief.getByLabel('Comment').fill('The office closes.');
  await chief.getByRole('button', { name: 'Approve these 20 changes' }).click();
  await chief.getByText('Approved: the import begins now.').waitFor();
  await server.waitForLog(({ message, run }) => message === 'run done' && `/orgs/acme/imports/${run}` === held);
  await chief.goto(site + held);
  await chief.getByText('imported', { exact: true }).waitFor();
  await chief.getByText('The office closes.').waitFor();
  const { stdout } = await runDropslot(['audit', 'export'], { data, env });
  assert.match(stdout, /"actor":"web:chief@acme.test","action":"run.approved"/);
  assert.equal(await server.stop(), 0);
});
