/** Takes the pictures of docs/console.md: `node --import tsx --test test/browser/pictures.ts`. */
import { test } from 'node:test';
import { noteAttempt } from '../../db/control/loginattempts.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { openBrowser, withoutBrowser } from '../support/browser.js';
import { csv } from '../support/company.js';
import { openTestConsole } from '../support/console.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { listen } from '../support/listen.js';

const header = 'User Email,First Name,Last Name,Manager Email,Teams,Deactivation Date';
const names = ['Ana Silva', 'Ben Fischer', 'Chloe Martin', 'Deniz Kaya', 'Emma Larsen', 'Farid Haddad', 'Grace Osei'];
const dayMs = 86_400_000;

function row(index: number, leaving = ''): string {
  const [first, last] = names[index % names.length]!.split(' ');
  const email = `${first}.${last}${index}`.toLowerCase();
  return `${email}@acme.test,${first},${last},owner@acme.test,"Sales, Berlin",${leaving}`;
}

test('pictures', { skip: withoutBrowser }, async (t) => {
  const site = await openTestConsole(t, { url: null });
  const { acme, clock } = site;
  const rows = Array.from({ length: 190 }, (_, index) => row(index));
  acme.clock -= 2 * dayMs;
  await acme.import({ 'users.csv': csv(header, ...rows) });
  acme.clock += dayMs;
  const wrong = [
    'ivo.novak at acme.test,Ivo,Novak,,Sales,',
    'jo.king@acme.test,Jo,King,,Sales,31.02.2026',
    ',Kim,Lee,,Berlin,',
  ];
  const { run } = await acme.import({ 'users.csv': csv(header, ...rows, ...wrong) });
  acme.clock += dayMs;
  const held = await acme.import({
    'users.csv': csv(header, ...rows.map((_, index) => row(index, index < 40 ? '2026-03-01' : ''))),
  });
  clock.now = acme.clock + 3_600_000;
  const url = await listen(t, site.app);
  const browser = await openBrowser(t);
  const owner = await site.person('owner');
  const admin = await site.person('admin', 'acme');
  Object.assign(site.place.settings, { publicHost: 'sftp.hr-files.example', publicPort: 22 });
  await loadOrCreateHostKeys(site.place.paths.hostKeys);
  const pair = newKeyPair();
  const { fingerprint } = pair.public;
  await allowKey(site.place.control, 'acme', pair, { label: 'HR system', sources: ['192.0.2.0/24'] });
  const attempt = {
    org: 'acme',
    fingerprint,
    credential: fingerprint,
    address: '192.0.2.7',
    client: 'SSH-2.0-JSCH_0.2.9',
  };
  await noteAttempt(site.place.control.write, { ...attempt, at: clock.now - dayMs, reason: null });
  const refused = { ...attempt, at: clock.now, address: '198.51.100.4', reason: 'address not allowed for this key' };
  await noteAttempt(site.place.control.write, refused);
  await acme.drop('/users.csv.part', csv(header, row(1)));
  const pictures = [
    { name: 'overview', path: '/', who: owner },
    { name: 'home', path: '/orgs/acme', who: admin },
    { name: 'import', path: `/orgs/acme/imports/${run}#problems-0`, who: admin },
    { name: 'connection', path: '/orgs/acme/connection', who: admin },
    { name: 'arrivals', path: '/arrivals?org=acme&name=users', who: owner },
    { name: 'review', path: `/orgs/acme/imports/${held.run}/review`, who: admin },
  ];
  for (const colorScheme of ['light', 'dark'] as const)
    for (const { name, path, who } of pictures) {
      const context = await browser.newContext({
        colorScheme,
        viewport: { width: 1000, height: 640 },
      });
      await context.addCookies([{ name: 'dropslot', value: who.cookie, url }]);
      const page = await context.newPage();
      await page.goto(url + path);
      await page.screenshot({ path: `docs/console/${name}-${colorScheme}.png` });
      await context.close();
    }
});
