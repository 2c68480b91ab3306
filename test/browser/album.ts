/**
 * Pictures of every page, to be looked at: `ALBUM=DIR [ALBUM_ONLY=TEXT] node --import tsx --test test/browser/album.ts`. Each page of the
 * table with data and without, some that refuse, as a wide screen and as a phone, light and dark.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Browser, Page, Response } from 'playwright-core';
import { oidcSetting } from '../../config/oidc.js';
import type { Settings } from '../../config/settings.js';
import { inviteAccount } from '../../operations/accounts/people.js';
import { routes } from '../../web/console/table.js';
import { openBrowser, withoutBrowser } from '../support/browser.js';
import { openTestConsole, type TestConsole } from '../support/console.js';
import { fillAcme } from '../support/filledconsole.js';
import { listen } from '../support/listen.js';

const { ALBUM: folder, ALBUM_ONLY: only = '' } = process.env;
const looks = [
  { look: 'light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { look: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { look: 'phone', colorScheme: 'light', viewport: { width: 400, height: 800 } },
  { look: 'phone-dark', colorScheme: 'dark', viewport: { width: 400, height: 800 } },
] as const;

interface Shot {
  name: string;
  path: string;
  cookie?: string;
  /** Fields of the form that has the first of them, where a person sees it. */
  send?: Record<string, string>;
  /** The link that is followed then. */
  follow?: string;
  /** A file of so many bytes for the form of the page. */
  fileBytes?: number;
  /** So many times the form is sent, or the page is opened, before the picture. */
  times?: number;
  /** Of the answer in the picture; without it any. */
  status?: number;
  before?: () => unknown;
}

const nameOf = (path: string) => path.replace(/[^\w]+/g, '-').replace(/^-|-$/g, '') || 'overview';

/** The pages of the table. @param values of the parameters */
function pagesOf(who: { org?: string; cookie: string }, values: Record<string, string>): Shot[] {
  return routes
    .filter(({ method, path }) => method === 'GET' && !/\.\w+$|download$|progress$|\{file\}$/.test(path))
    .filter(({ path }) => who.org === undefined || path.startsWith('/orgs/{org}') || path === '/account')
    .map(({ path }) => ({
      name: nameOf(path.replace('/orgs/{org}', 'org')),
      path: path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'x'),
      cookie: who.cookie,
    }));
}

async function takeAll(browser: Browser, url: string, site: TestConsole, group: string, shots: readonly Shot[]) {
  mkdirSync(join(folder!, group), { recursive: true });
  const pages = new Map<string, Page>();
  for (const shot of shots.filter(({ name }) => `${group}/${name}`.includes(only))) {
    const { name, cookie = '' } = shot;
    site.clock.ms += 10_000;
    const page = pages.get(cookie) ?? (await openPage(browser, url, cookie));
    pages.set(cookie, page);
    const status = await open(page, url, shot);
    if (shot.status !== undefined) assert.equal(status, shot.status, name);
    // One load for all looks: a page is slow to make, and quick to draw again.
    for (const { look, colorScheme, viewport } of looks) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(folder!, group, `${name}.${look}.png`), fullPage: true });
    }
  }
}

/** The status of the page in the picture. */
async function open(
  page: Page,
  url: string,
  { path, send, follow, fileBytes, times = 1, before }: Shot,
): Promise<number> {
  await before?.();
  let status = 0;
  for (let time = 0; time < times; time++) {
    status = (await page.goto(url + path))!.status();
    if (send !== undefined) status = await fill(page, send);
    if (follow !== undefined) status = await answered(page, () => page.getByRole('link', { name: follow }).click());
    if (fileBytes !== undefined) status = await sendFile(page, fileBytes);
  }
  return status;
}

async function fill(page: Page, values: Record<string, string>): Promise<number> {
  for (const [field, value] of Object.entries(values))
    await page.locator(`[name=${field}]:visible`).first().fill(value);
  const form = page.locator(`form:has([name=${Object.keys(values)[0]}]:visible)`).first();
  return answered(page, () => form.evaluate((one: { submit(): void }) => one.submit()));
}

async function sendFile(page: Page, bytes: number): Promise<number> {
  const buffer = Buffer.alloc(bytes, 'User Email\n');
  await page.setInputFiles('[type=file]', { name: 'users.csv', mimeType: 'text/csv', buffer });
  return answered(page, () => page.locator('form:has([type=file]) button').click());
}

/** The status of the page that comes after a click. */
async function answered(page: Page, act: () => Promise<unknown>): Promise<number> {
  const isAnswer = (answer: Response) => answer.request().isNavigationRequest() && answer.status() !== 303;
  const [answer] = await Promise.all([page.waitForResponse(isAnswer), page.waitForEvent('load'), act()]);
  return answer.status();
}

async function openPage(browser: Browser, url: string, cookie: string): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  if (cookie !== '') await context.addCookies([{ name: 'dropslot', value: cookie, url }]);
  return context.newPage();
}

test('album', { skip: folder === undefined ? 'ALBUM names no folder' : withoutBrowser }, async (t) => {
  const browser = await openBrowser(t);
  const empty = await openTestConsole(t, { url: null });
  const emptyUrl = await listen(t, empty.app);
  const emptyOwner = await empty.person('owner');
  const emptyAdmin = await empty.person('admin', 'other');
  await takeAll(browser, emptyUrl, empty, 'empty', [
    ...pagesOf(emptyOwner, {}).filter(({ path }) => !path.startsWith('/orgs/')),
    ...pagesOf({ org: 'other', cookie: emptyAdmin.cookie }, { org: 'other' }),
  ]);
  const site = await openTestConsole(t, { url: null });
  const runs = await fillAcme(site);
  const url = await listen(t, site.app);
  const owner = await site.person('owner');
  const admin = await site.person('admin', 'acme');
  const viewer = await site.person('viewer', 'acme');
  const readOnly = await site.person('read-only');
  const { code } = await inviteAccount(site.place, { email: 'new@acme.test', role: 'viewer', org: 'acme' });
  const values = { org: 'acme', run: String(runs.done), email: 'user1@acme.test', team: 'North' };
  await takeAll(browser, url, site, 'filled', [
    ...pagesOf(owner, values),
    { name: 'review-of-a-held-run', path: `/orgs/acme/imports/${runs.held}/review`, cookie: admin.cookie },
    { name: 'home-of-an-admin', path: '/orgs/acme', cookie: admin.cookie },
    { name: 'connection-of-an-admin', path: '/orgs/acme/connection', cookie: admin.cookie },
    { name: 'review-of-a-viewer', path: `/orgs/acme/imports/${runs.held}/review`, cookie: viewer.cookie },
    { name: 'teams-as-a-tree', path: '/orgs/acme/teams?view=tree', cookie: owner.cookie },
    { name: 'missing-file', path: '/arrivals?org=acme&name=users', cookie: owner.cookie },
    { name: 'directory-person', path: '/directory?email=user1@acme.test', cookie: owner.cookie },
    { name: 'sign-in', path: '/sign-in' },
    { name: 'invitation', path: `/invitation/${code}` },
  ]);
  const oidc = { issuer: 'https://127.0.0.1:9', clientId: 'dropslot', label: 'Operator Login' };
  site.place.settings.oidc = oidcSetting().parse(oidc) as Settings['oidc'];
  const wrong = { email: 'x@acme.test', password: 'wrong', code: '123456' };
  await takeAll(browser, url, site, 'refused', [
    { name: '404', path: '/none', cookie: owner.cookie, status: 404 },
    { name: '404-of-an-organization', path: '/orgs/other/imports', cookie: viewer.cookie, status: 404 },
    { name: '404-import', path: '/orgs/acme/imports/4711', cookie: viewer.cookie, status: 404 },
    { name: '404-person', path: '/orgs/acme/people/nobody@acme.test', cookie: owner.cookie, status: 404 },
    { name: '403', path: '/orgs/acme/settings', cookie: viewer.cookie, status: 403 },
    { name: '403-of-the-server', path: '/new', cookie: readOnly.cookie, status: 403 },
    { name: 'used-invitation', path: '/invitation/used', status: 404 },
    { name: 'session-ended', path: '/orgs/acme/imports', cookie: 'none' },
    { name: 'wrong-link', path: `/d/${'a'.repeat(43)}`, status: 404 },
    { name: 'sign-in', path: '/sign-in', send: wrong, status: 422 },
    { name: '503-provider', path: '/sign-in/with/server', follow: 'Sign in with Operator Login', status: 503 },
    { name: '429-sign-in', path: '/sign-in', send: wrong, times: 8, status: 429 },
    { name: '429-invitation', path: '/invitation/used', times: 22, status: 429 },
    { name: 'new-organization', path: '/new', cookie: owner.cookie, send: { id: 'Not An Id', name: 'x', owner: 'no' } },
    { name: 'key', path: '/orgs/acme/connection', cookie: admin.cookie, send: { key: 'no key' } },
    { name: 'member', path: '/orgs/acme/members', cookie: admin.cookie, send: { email: 'nobody' } },
    { name: 'notification', path: '/orgs/acme/notifications', cookie: admin.cookie, send: { address: 'nobody' } },
    { name: '413-check', path: '/orgs/acme/check', cookie: admin.cookie, fileBytes: 11 * 1024 * 1024, status: 413 },
    {
      ...{ name: '503-check', path: '/orgs/acme/check', cookie: admin.cookie, fileBytes: 1024, status: 503 },
      before: () => void beginCheck(site, admin.cookie),
    },
    {
      ...{ name: '429-requests', path: '/orgs/acme', cookie: viewer.cookie, status: 429 },
      before: () => Promise.all(Array.from({ length: 300 }, () => viewer.get('/account'))),
    },
  ]);
});

/** A file that is still arriving when the test ends. */
function beginCheck(site: TestConsole, cookie: string) {
  const headers = { 'content-type': 'multipart/form-data; boundary=x', 'sec-fetch-site': 'same-origin' };
  const init = { method: 'POST', body: new ReadableStream(), duplex: 'half' } as RequestInit;
  const sent = { ...init, headers: { ...headers, cookie: `dropslot=${cookie}` } };
  return site.app.request('http://127.0.0.1/orgs/acme/check', sent);
}
