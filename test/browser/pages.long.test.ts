/** Each page in a real browser: axe-core finds nothing, no request leaves the console, and narrow screens do not scroll sideways. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { inviteAccount } from '../../operations/accounts/people.js';
import { routes } from '../../web/console/table.js';
import { openBrowser, withoutBrowser } from '../support/browser.js';
import { csv } from '../support/company.js';
import { openTestConsole } from '../support/console.js';
import { fillAcme } from '../support/filledconsole.js';
import { listen } from '../support/listen.js';

interface Violation {
  id: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** The rules of WCAG 2.2 AA, and of good practice. @param only one rule */
async function examine(page: Page, only?: string): Promise<string[]> {
  if (only === undefined) await page.evaluate(axe.source);
  const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const runOnly = only === undefined ? { type: 'tag', values: rules } : { type: 'rule', values: [only] };
  const found = await page.evaluate(`axe.run(document, ${JSON.stringify({ runOnly, resultTypes: ['violations'] })})`);
  const { violations } = found as { violations: Violation[] };
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`,
  );
}

async function visit(page: Page, url: string): Promise<void> {
  const answer = await page.goto(url);
  assert.ok([200, 404].includes(answer!.status()), `${url}: ${answer!.status()}`);
}

test('axe-core finds nothing on any page, in light and dark, and every page fits a narrow screen', {
  skip: withoutBrowser,
  timeout: 300_000,
}, async (t) => {
  const site = await openTestConsole(t, { url: null });
  const runs = await fillAcme(site);
  const url = await listen(t, site.app);
  const browser = await openBrowser(t);
  const foreign: string[] = [];
  // The policy of the console would keep axe-core itself out.
  const open = async (cookie?: string): Promise<Page> => {
    const context = await browser.newContext({ bypassCSP: true, reducedMotion: 'reduce' });
    context.on('request', (request) => request.url().startsWith(url) || foreign.push(request.url()));
    if (cookie !== undefined) await context.addCookies([{ name: 'dropslot', value: cookie, url }]);
    return context.newPage();
  };
  const { cookie } = await site.person('owner');
  const { code } = await inviteAccount(site.place, { email: 'new@acme.test', role: 'viewer', org: 'acme' });
  const values: Record<string, string> = {
    org: 'acme',
    run: String(runs.done),
    email: 'user1@acme.test',
    team: 'North',
  };
  const shown = routes.filter(
    ({ method, path }) => method === 'GET' && !/\.\w+$|download$|progress$|\{file\}$/.test(path),
  );
  const paths = shown.map(({ path }) => path.replace(/\{(\w+)\}/g, (_, name: string) => values[name]!));
  paths.push(`/orgs/acme/imports/${runs.held}/review`, '/orgs/acme/teams?view=tree', '/none');
  paths.push('/arrivals?org=acme&name=users', '/audit?action=run.&since=7d', '/directory?email=user1@acme.test');
  const problems: string[] = [];
  const look = async (page: Page, path: string) => {
    site.clock.ms += 10_000;
    await page.setViewportSize({ width: 1200, height: 800 });
    await page.emulateMedia({ colorScheme: 'light' });
    await visit(page, url + path);
    const found = await examine(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    // Pages share their colours: those with every part of the design are enough.
    if (/imports|settings|sign-in|check/.test(path)) found.push(...(await examine(page, 'color-contrast')));
    await page.setViewportSize({ width: 320, height: 640 });
    const width = await page.evaluate('document.documentElement.scrollWidth');
    if ((width as number) > 320) found.push(`${width} pixels wide on a screen of 320`);
    problems.push(...found.map((text) => `${path}: ${text}`));
  };
  const owner = await open(cookie);
  for (const path of paths) await look(owner, path);
  const visitor = await open();
  for (const path of ['/sign-in', `/invitation/${code}`, '/invitation/used']) await look(visitor, path);
  assert.deepEqual(problems, []);
  assert.deepEqual(foreign, []);
});

test('a keyboard reaches the content first, and the file that a check needs', { skip: withoutBrowser }, async (t) => {
  const site = await openTestConsole(t, { url: null });
  const url = await listen(t, site.app);
  const context = await (await openBrowser(t)).newContext();
  const { cookie } = await site.person('admin', 'acme');
  await context.addCookies([{ name: 'dropslot', value: cookie, url }]);
  const page = await context.newPage();
  await page.goto(`${url}/orgs/acme/check`);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.className'), 'skip');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.id'), 'file');
  await page.setInputFiles('#file', {
    name: 'hr.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(csv('Work Email,Vorname,Shoe Size', 'eve@acme.test,Eve,41')),
  });
  await page.getByRole('button', { name: 'Check the file' }).click();
  // The key column is known by its name in HR systems, and read as such once an admin says so.
  assert.equal(await page.getByLabel('Read it as: Work Email').inputValue(), 'User Email');
  assert.equal(await page.getByLabel('Read it as: Vorname').inputValue(), 'First Name');
  assert.equal(await page.getByLabel('Read it as: Shoe Size').inputValue(), '');
  await page.getByRole('button', { name: /from now on/ }).click();
  await page.getByText('Saved.').waitFor();
  const { aliases } = (await site.place.org('acme')).options;
  assert.deepEqual({ ...aliases }, { 'Work Email': 'User Email', Vorname: 'First Name' });
});
