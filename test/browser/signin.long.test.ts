/** Passkeys and OpenID Connect at the built program, in a real browser: with Chromium's virtual authenticator, and with a real provider. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { settingsSchema } from '../../config/settings.js';
import { totpCode } from '../../keys/login/totp.js';
import { inviteAccount } from '../../operations/accounts/people.js';
import { openBrowser, withoutBrowser } from '../support/browser.js';
import { openTestConsole, testPassword } from '../support/console.js';
import { client, openIssuer } from '../support/issuer.js';
import { listen } from '../support/listen.js';
import { askDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

async function openPlace(t: TestContext, env: Record<string, string> = {}) {
  const data = temporaryFolder(t);
  const server = await startServe(t, { data, env: { DROPSLOT_CONSOLE: '127.0.0.1:0', ...env } });
  const { port } = await server.waitForLog(({ message }) => message === 'the console listens');
  const ask = <T>(args: string[]) =>
    askDropslot<T>(args, { data, env: { DROPSLOT_CONSOLE: '127.0.0.1:8023', ...env } });
  return { ask, port: port as number, site: `http://localhost:${port}` };
}

/** With user verification, as the lock of a computer has it. */
async function addAuthenticator(page: Page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
  } as const;
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...options, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return {
    verify: (isUserVerified: boolean) => cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
  };
}

test('a passkey is added, signs in after a sign-out, and no longer once it is removed', {
  skip: withoutBrowser,
  timeout: 300_000,
}, async (t) => {
  const { ask, site } = await openPlace(t);
  const { link } = await ask<{ link: string }>(['console', 'invite', 'jane@operator.test', '--role', 'owner']);
  const page = await (await (await openBrowser(t)).newContext()).newPage();
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  const authenticator = await addAuthenticator(page);
  await page.goto(site + new URL(link).pathname);
  const secret = (await page.textContent('.key'))!.replaceAll(' ', '');
  await page.getByLabel('New password').fill(testPassword);
  await page.getByLabel('Code that the app shows now').fill(totpCode(secret, Date.now()));
  await page.getByRole('button').click();
  await page.getByRole('link', { name: /go on/ }).click();

  await page.goto(`${site}/account`);
  await page.getByLabel('Name').fill('laptop of the test');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('Added.').waitFor();
  assert.equal(await page.getByRole('rowheader', { name: 'laptop of the test' }).count(), 1);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.goto(`${site}/system`);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.waitForURL(`${site}/system`);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await authenticator.verify(false);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByText('The browser gave no passkey').waitFor();
  await authenticator.verify(true);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.waitForURL(`${site}/`);

  await page.goto(`${site}/account`);
  await page.getByRole('button', { name: /Remove laptop/ }).click();
  await page.getByText('Removed.').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByText('This passkey can not be used here').waitFor();
  assert.deepEqual(
    errors.filter((text) => /Content Security|Refused/.test(text)),
    [],
  );
});

test('on another origin no passkey is asked for, and without scripts none is offered', {
  skip: withoutBrowser,
}, async (t) => {
  const place = await openTestConsole(t, { url: 'http://localhost:1' });
  const url = (await listen(t, place.app)).replace('127.0.0.1', 'localhost');
  const browser = await openBrowser(t);
  const page = await (await browser.newContext()).newPage();
  await addAuthenticator(page);
  await page.goto(`${url}/sign-in`);
  const asked = page.waitForResponse((answer) => answer.url().endsWith('/options'));
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  assert.equal((await asked).status(), 403);
  const still = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await still.goto(`${url}/sign-in`);
  assert.equal(await still.getByRole('button', { name: 'passkey' }).count(), 0);
  assert.equal(await still.getByRole('button', { name: 'Sign in' }).count(), 1);
});

test('an operator and an HR admin sign in at their providers, without scripts', {
  skip: withoutBrowser,
  timeout: 300_000,
}, async (t) => {
  const issuer = await openIssuer(t, []);
  const secret = join(temporaryFolder(t), 'secret');
  writeFileSync(secret, client.secret);
  const oidc = {
    issuer: issuer.url,
    clientId: client.id,
    clientSecretFile: secret,
    label: 'Operator Login',
    allowHttp: true,
  };
  const { ask, site, port } = await openPlace(t, { DROPSLOT_OIDC: JSON.stringify(oidc) });
  await ask(['orgs', 'add', 'acme', '--owner', 'owner@acme.test']);
  await ask(['console', 'invite', 'hr@acme.test', '--role', 'admin', '--org', 'acme']);
  const { link } = await ask<{ link: string }>(['console', 'invite', 'jane@operator.test', '--role', 'owner']);
  const set = ['console', 'set-provider', 'acme', '--issuer', issuer.url, '--client-id', client.id];
  const secretFile = ['--client-secret-file', secret, '--label', 'ACME Login'];
  const more = [...secretFile, '--password-sign-in', 'off', '--allow-http', '--allow-private'];
  const { redirect, signIn } = await ask<{ redirect: string; signIn: string }>([...set, ...more]);
  issuer.register([`${site}/sign-in/return/server`, redirect.replace('127.0.0.1:8023', `localhost:${port}`)]);

  const browser = await openBrowser(t);
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await page.goto(site + new URL(link).pathname);
  await page.getByRole('link', { name: 'Sign in with Operator Login' }).click();
  await page.waitForURL(`${site}/`);
  await page.goto(`${site}/account`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
  await page.getByRole('link', { name: 'Sign out at Operator Login, too' }).click();
  await page.waitForURL((address) => address.href.startsWith(issuer.url));
  await page.goBack();
  await page.getByRole('link', { name: 'Sign in again' }).click();
  await page.getByRole('link', { name: 'Sign in with Operator Login' }).click();
  await page.waitForURL(`${site}/`);

  Object.assign(issuer.person, { sub: 'hr', email: 'hr@acme.test' });
  const admin = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await admin.goto(site + new URL(signIn).pathname);
  await admin.getByRole('link', { name: 'Sign in with ACME Login' }).click();
  await admin.waitForURL(`${site}/orgs/acme`);
  await admin.getByRole('button', { name: 'Sign out' }).click();
  await admin.getByRole('link', { name: 'Sign in again' }).click();
  await admin.waitForURL((address) => address.pathname.startsWith('/sign-in') && !address.pathname.includes('left'));
  assert.equal(
    await admin.getByRole('link', { name: 'Sign in with ACME Login' }).count(),
    1,
    'the browser remembers it',
  );
});

interface Found {
  violations: { id: string; nodes: { html: string }[] }[];
}

test('axe-core finds nothing on the pages of sign-in with a provider and passkeys, which fit a narrow screen', {
  skip: withoutBrowser,
  timeout: 300_000,
}, async (t) => {
  const place = await openTestConsole(t, { url: null });
  const oidc = { issuer: 'https://login.operator.test', clientId: 'x', label: 'Operator Login', organizations: true };
  place.place.settings.oidc = settingsSchema.parse({ oidc }).oidc;
  const { code } = await inviteAccount(place.place, { email: 'new@acme.test', role: 'viewer', org: 'acme' });
  const { cookie } = await place.person('admin', 'acme', true);
  const url = (await listen(t, place.app)).replace('127.0.0.1', 'localhost');
  const browser = await openBrowser(t);
  const problems: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ bypassCSP: true, colorScheme, viewport: { width: 320, height: 640 } });
    const page = await context.newPage();
    await addAuthenticator(page);
    const look = async (path: string) => {
      place.clock.ms += 60_000;
      await page.goto(url + path);
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate('axe.run()')) as Found;
      problems.push(...violations.map(({ id, nodes }) => `${path}: ${id} ${nodes.map(({ html }) => html).join(' ')}`));
      const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
      if (width > 320) problems.push(`${path}: ${width} pixels wide on a screen of 320`);
    };
    for (const path of ['/sign-in', '/sign-in/with/server', '/sign-in/with/none', `/invitation/${code}`])
      await look(path);
    await context.addCookies([{ name: 'dropslot', value: cookie, url }]);
    await look('/account');
    await page.getByLabel('Name').fill('laptop');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('Added.').waitFor();
    await look('/account');
  }
  assert.deepEqual(problems, []);
});
