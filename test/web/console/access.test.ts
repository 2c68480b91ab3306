/** Every page and action as each role: the rights hold, and another organization is never seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { loadOrCreateHostKeys } from '../../../keys/host/hostkeys.js';
import { changeRole, findPerson, removePerson } from '../../../operations/accounts/people.js';
import { type AccountRight, type Role, rightsOf } from '../../../operations/accounts/rights.js';
import { endSessions } from '../../../operations/accounts/sessions.js';
import { generateOwnPgpKey } from '../../../operations/pgp.js';
import type { ConsoleRoute } from '../../../web/console/route.js';
import { routes } from '../../../web/console/table.js';
import { csv } from '../../support/company.js';
import { openTestConsole, type Person, type Shown } from '../../support/console.js';

const roles: readonly [Role, string | undefined][] = [
  ['owner', undefined],
  ['operator', undefined],
  ['read-only', undefined],
  ['auditor', undefined],
  ['admin', 'acme'],
  ['viewer', 'acme'],
];

const header = 'User Email,First Name';

/** Both organizations have an import, and a run that is held. */
async function openAll(t: Parameters<typeof openTestConsole>[0]) {
  const site = await openTestConsole(t);
  await loadOrCreateHostKeys(site.place.paths.hostKeys);
  const runs: Record<string, { done: number; held: number }> = {};
  for (const [name, company] of [['acme', site.acme] as const, ['other', site.other] as const]) {
    const rows = Array.from({ length: 12 }, (_, index) => `secret${index}@${name}.test,Ann`);
    await company.import({ 'teams.csv': csv('Team Name', `Staff ${name}`) });
    const done = await company.import({ 'users.csv': csv(header, ...rows, 'no address,Bob') });
    const leaving = rows.map((row) => `${row},2026-01-01`);
    const held = await company.import({ 'users.csv': csv(`${header},Deactivation Date`, ...leaving) });
    assert.equal(held.state, 'held');
    await generateOwnPgpKey(site.place, name, { type: 'curve25519', expiresAt: null });
    runs[name] = { done: done.run!, held: held.run! };
  }
  return { ...site, runs };
}

function fill({ path }: ConsoleRoute, org: string, run: number): string {
  const values: Record<string, string> = {
    org,
    run: String(run),
    email: `secret1@${org}.test`,
    team: `Staff ${org}`,
    file: 'users.csv',
  };
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name]!));
  return path.endsWith('/download') ? `${filled}?path=%2Farchive%2F2026-03-10%2Fusers.csv` : filled;
}

const isOfOrg = ({ path }: ConsoleRoute) => path.startsWith('/orgs/{org}');
const ask = (person: Person, route: ConsoleRoute, path: string): Promise<Shown> =>
  route.method === 'GET' ? person.get(path) : person.post(path, {});
const may = (role: Role, right: AccountRight | null) => right === null || rightsOf[role].includes(right);

test('each role reaches the pages of its rights and no other, and sees only its organization', async (t) => {
  const { person, runs, clock } = await openAll(t);
  for (const [role, org] of roles) {
    const one = await person(role, org);
    await followNavigation(one, role, org, clock);
    for (const route of routes.filter(({ method }) => method === 'GET')) {
      clock.ms += 1_000;
      const { status, text } = await ask(one, route, fill(route, 'acme', runs.acme!.done));
      const allowed = may(role, route.right);
      const refused = org !== undefined && !isOfOrg(route) ? 404 : 403;
      const name = `${role} ${route.path}`;
      if (org !== undefined) assert.doesNotMatch(text, /@other\.test|Other Ltd|\/orgs\/other/, name);
      // The start page sends people of an organization, and auditors, to theirs.
      if (route.path === '/') assert.ok([200, 303].includes(status), name);
      else assert.equal(status, allowed ? 200 : refused, `${name}: ${text.slice(0, 300)}`);
    }
  }
});

test('a form that arrives after its session has ended, or its right was taken away, does nothing', async (t) => {
  const { place, person, clock } = await openTestConsole(t);
  const form = { 'set:name': 'Taken', 'shown:set:name': 'Acme Corp' };
  for (const [name, change, status] of [
    ['session', async (email: string) => endSessions(place, await findPerson(place, email)), 303],
    ['person', (email: string) => removePerson(place, email), 303],
    ['role', (email: string) => changeRole(place, email, 'read-only'), 403],
  ] as const) {
    clock.ms += 60_000;
    const one = await person('operator');
    const shown = await one.post('/orgs/acme/settings', form, { whileArriving: () => change(one.email) });
    assert.equal(shown.status, status, name);
    if (status === 303) assert.equal(shown.headers.get('location'), '/sign-in', name);
    assert.equal((await place.org('acme')).name, 'Acme Corp', name);
  }
  // A form that can't be read shows its page again, but not to a session that has ended.
  const left = await person('operator');
  const large = { ...form, 'set:name': 'x'.repeat(300 * 1024) };
  const end = async () => endSessions(place, await findPerson(place, left.email));
  assert.equal((await left.post('/orgs/acme/settings', large, { whileArriving: end })).status, 303);
  const one = await person('operator');
  const shown = await one.post('/orgs/acme/settings', form, { whileArriving: async () => {} });
  assert.equal(shown.headers.get('location'), '/orgs/acme/settings?done=saved', shown.text.slice(0, 2_000));
  assert.equal((await place.org('acme')).name, 'Taken');
});

test('an action that the role does not include changes nothing', async (t) => {
  const { person, runs, clock, place } = await openAll(t);
  const records = async () => (await place.control.read('audit').count({ all: '*' }))[0]!.all;
  for (const [role, org] of roles) {
    const one = await person(role, org);
    const before = await records();
    for (const route of routes.filter(({ method, right }) => method === 'POST' && !may(role, right))) {
      clock.ms += 1_000;
      const { status } = await ask(one, route, fill(route, 'acme', runs.acme!.held));
      assert.equal(status, org !== undefined && !isOfOrg(route) ? 404 : 403, `${role} ${route.path}`);
    }
    assert.equal(await records(), before, role);
  }
});

test('a form that can not be read shows no page that the role does not include', async (t) => {
  const { person, runs, clock } = await openAll(t);
  const unreadable = { headers: { 'content-type': 'application/json' } };
  for (const [role, org] of roles) {
    const one = await person(role, org);
    for (const route of routes.filter(({ method, right }) => method === 'POST' && !may(role, right))) {
      clock.ms += 1_000;
      const { status, text } = await one.post(fill(route, 'acme', runs.acme!.held), {}, unreadable);
      const name = `${role} ${route.path}`;
      assert.equal(status, org !== undefined && !isOfOrg(route) ? 404 : 403, `${name}: ${text.slice(0, 600)}`);
      assert.doesNotMatch(text, /<table|@other\.test|Other Ltd/, name);
    }
  }
  const admin = await person('admin', 'acme');
  for (const route of routes.filter((one) => one.method === 'POST' && isOfOrg(one))) {
    clock.ms += 1_000;
    const { status, text } = await admin.post(fill(route, 'other', runs.other!.held), {}, unreadable);
    assert.equal(status, 404, route.path);
    assert.doesNotMatch(text, /@other\.test|Other Ltd/, route.path);
  }
});

test('another organization looks like one that does not exist, on every page and for every action', async (t) => {
  const { person, runs, clock } = await openAll(t);
  const strip = ({ text }: Shown) => text.replace(/name="_token" value="[^"]*"/g, '');
  for (const role of ['admin', 'viewer'] as const) {
    const one = await person(role, 'acme');
    for (const route of routes.filter(isOfOrg)) {
      clock.ms += 3_000;
      const foreign = await ask(one, route, fill(route, 'other', runs.other!.held));
      const missing = await ask(one, route, fill(route, 'nobody', runs.other!.held));
      assert.equal(foreign.status, 404, `${role} ${route.method} ${route.path}`);
      assert.equal(strip(foreign), strip(missing));
      assert.doesNotMatch(foreign.text, /other/i);
    }
  }
});

test('a run of another organization does not exist for this one, and neither do its files', async (t) => {
  const { person, runs, clock, other, place } = await openAll(t);
  const admin = await person('admin', 'acme');
  for (const route of routes.filter(({ path }) => path.includes('{run}'))) {
    clock.ms += 1_000;
    const { status, text } = await ask(admin, route, fill(route, 'acme', runs.other!.held));
    const isRefused = status === 404 || (route.method === 'POST' && status === 422);
    assert.ok(may('admin', route.right) ? isRefused : status === 403, `${route.path}: ${status}`);
    assert.doesNotMatch(text, /secret\d+@other|Other Ltd/);
  }
  const held = (await place.control.read('runs').where({ id: runs.other!.held }).first()) as { state: string };
  assert.equal(held.state, 'held');
  for (const path of ['/reports', '/archive/2026-03-10/users.csv.report.csv', '/../other', 'users.csv']) {
    const { status } = await admin.get(
      `/orgs/acme/imports/${runs.acme!.done}/download?path=${encodeURIComponent(path)}`,
    );
    assert.equal(status, 404, path);
  }
  assert.ok((await listAudit(place.control.read, other.org.id)).every(({ actor }) => !actor.startsWith('web:')));
});

/** Every link of the navigation leads to a page that the role may see. */
async function followNavigation(
  one: Person,
  role: Role,
  org: string | undefined,
  clock: { ms: number },
): Promise<void> {
  const starts = [org === undefined ? '/account' : '/orgs/acme', ...(may(role, 'org.read') ? ['/orgs/acme'] : [])];
  for (const start of new Set(starts)) {
    const { text } = await one.get(start);
    const links = [...text.matchAll(/<li><a href="([^"]+)"/g)].map(([, link]) => link!);
    assert.ok(links.length > 0, `${role} ${start}`);
    for (const link of links) {
      clock.ms += 1_000;
      assert.equal((await one.get(link)).status, 200, `${role} ${link}`);
    }
  }
}
