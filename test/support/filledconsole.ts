/** A console with something on every page: problems of each kind of cell, a held run, keys, connections, a webhook. */
import { noteAttempt } from '../../db/control/loginattempts.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { addHostKey } from '../../operations/hostkeys.js';
import { changeKeys } from '../../operations/keyrequests.js';
import { setOrganization } from '../../operations/orgs.js';
import { readAssignments } from '../../operations/orgsettings/orgsettings.js';
import { addWebhook } from '../../operations/webhooks.js';
import { csv } from './company.js';
import type { TestConsole } from './console.js';
import { allowKey, newKeyPair } from './keys.js';

const header = 'User Email,First Name,Teams,Deactivation Date';

/** One problem of each kind of cell, and a run that is held. */
export async function fillAcme(site: TestConsole): Promise<{ done: number; held: number }> {
  const { acme } = site;
  const rows = Array.from({ length: 12 }, (_, index) => `user${index}@acme.test,Ann,"North, South",`);
  const done = await acme.import({
    'users.csv': csv(header, ...rows, 'no address,Bob,,', 'late@acme.test,Eve,,31.02.2026'),
  });
  const leaving = rows.map((row) => `${row}2026-01-01`);
  const held = await acme.import({ 'users.csv': csv(header, ...leaving) });
  await acme.drop('/next.csv', csv(header, ...rows));
  await acme.drop('/users.csv.part', csv(header, ...rows));
  await fillConnections(site);
  return { done: done.run!, held: held.run! };
}

/** Keys, one of which waits for an operator, host keys, and logins that were accepted and refused. */
async function fillConnections({ place, clock }: TestConsole): Promise<void> {
  await loadOrCreateHostKeys(place.paths.hostKeys);
  await addHostKey(place, { type: 'ssh-ed25519' });
  const [pair, wanted] = [newKeyPair(), newKeyPair()];
  await allowKey(place.control, 'acme', pair, { addedBy: 'web:hr@acme.test', sources: ['192.0.2.0/24'] });
  const { fingerprint } = pair.public;
  const attempt = {
    org: 'acme',
    fingerprint,
    credential: fingerprint,
    at: clock.now,
    address: '192.0.2.7',
    client: 'x',
  };
  for (const reason of [null, 'expired key', 'wrong signature'])
    await noteAttempt(place.control.write, { ...attempt, reason });
  await noteAttempt(place.control.write, { ...attempt, credential: null, reason: 'unknown key' });
  await setOrganization(place, 'acme', readAssignments(['keyChanges=operator', 'twoPersonApproval=yes']));
  const key = `${wanted.public.algorithm} ${wanted.public.publicKey}`;
  await changeKeys({ ...place, isOfOrg: true, actor: 'web:hr@acme.test' }, 'acme', { kind: 'add', key });
  await addWebhook(place, { url: 'https://hooks.example/x', types: 'run.*' });
}
