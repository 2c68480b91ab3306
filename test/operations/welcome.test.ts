/** The sheet for a new customer: it has all that is needed, fits 80 columns, and follows the settings. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Settings } from '../../config/settings.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { addOrganization, setOrganization } from '../../operations/orgs.js';
import { readAssignments, readOrgFields } from '../../operations/orgsettings/orgsettings.js';
import { makeWelcome } from '../../operations/welcome.js';
import { openFresh } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

async function openAcme(t: TestContext, change: Partial<Settings> = {}, hasKeys = true) {
  const { settings } = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, { ...settings, ...change });
  if (hasKeys) await loadOrCreateHostKeys(place.paths.hostKeys);
  const ownerEmail = 'jane@acme.test';
  const fields = { ...readOrgFields({ owner: ownerEmail, name: 'Acme Corp', plan: 'enterprise' }), ownerEmail };
  await addOrganization(place, 'acme', fields, true);
  return place;
}

test('host, port, user, fingerprints, keys, folders, time and contact, in 80 columns', async (t) => {
  const place = await openAcme(t, { contact: 'People IT, it@example.com' });
  await setOrganization(
    place,
    'acme',
    readAssignments(['slot=04:30', 'addresses=203.0.113.0/24', 'hours=mon-fri 06:00-20:00']),
  );
  const { text, hostKeys } = await makeWelcome(place, 'acme', { host: 'sftp.example.com' });
  for (const line of [
    'Sending files of Acme Corp by SFTP',
    '  Host      sftp.example.com',
    '  Port      2222',
    '  User      acme',
    '  From      203.0.113.0/24',
    '  Hours     mon-fri 06:00-20:00, time zone UTC',
    '    ssh-keygen -t ed25519 -f acme',
    `  Ed25519  ${hostKeys.find(({ type }) => type === 'ssh-ed25519')!.fingerprint}`,
    '  sftp -i acme -P 2222 acme@sftp.example.com',
    'Each day at 04:30, time zone UTC.',
    'Ask People IT, it@example.com.',
  ])
    assert.ok(text.split('\n').includes(line), line);
  assert.match(text, /PuTTYgen/);
  const long = text.split('\n').filter((line) => line.length > 80);
  assert.equal(long.length, 1);
  assert.match(long[0]!, /^\[sftp\.example\.com\]:2222 ssh-ed25519 AAAA\S+$/);
});

test('the settings name the address; options of the command come first', async (t) => {
  const place = await openAcme(t, { publicHost: 'drop.example.com', publicPort: 22, listen: ['*:2022'] });
  const { text } = await makeWelcome(place, 'acme', {});
  assert.match(text, /^ {2}sftp -i acme acme@drop\.example\.com$/m);
  assert.match(text, /^drop\.example\.com ssh-ed25519 /m);
  assert.equal((await makeWelcome(place, 'acme', { port: 2200 })).address.port, 2200);
  const other = { ...place, settings: { ...place.settings, publicPort: undefined } };
  assert.equal((await makeWelcome(other, 'acme', {})).address.port, 2022);
});

test('says what is missing', async (t) => {
  const place = await openAcme(t, {}, false);
  await assert.rejects(makeWelcome(place, 'acme', {}), /give --host .*, or set publicHost/);
  await assert.rejects(makeWelcome(place, 'acme', { host: 'a b' }), /"a b" is not a host name/);
  await assert.rejects(
    makeWelcome(place, 'acme', { host: 'h' }),
    /no host keys in .* yet: start "dropslot serve" once/,
  );
  await assert.rejects(makeWelcome(place, 'acmee', { host: 'h' }), /no organization "acmee"/);
});
