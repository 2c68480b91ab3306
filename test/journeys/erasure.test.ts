/** No byte of the data folder has what was erased, removed or destroyed, while the server runs. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findOrg } from '../../db/control/orgs.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { runDropslot, startServe } from '../support/program.js';

function* filesBelow(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

/** The files that have one of the texts: databases, their logs and stages, stored files. */
function findIn(data: string, texts: readonly string[]): string[] {
  return [...filesBelow(data)].flatMap((path) => {
    const bytes = readFileSync(path);
    return texts.filter((text) => bytes.includes(text)).map((text) => `${path} has ${text.slice(0, 20)}`);
  });
}

/** A line of an armored secret, which no other text has. */
async function secretOf({ deps, org }: Company): Promise<string> {
  const { sealedIdentity } = (await findOrg(deps.control.read, org.id))!;
  return sealedIdentity!.split('\n')[2]!;
}

test('users erase, orgs remove and identity destroy leave no value in the bytes of the databases', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { data } = databases.settings;
  const [acme, beta, gamma] = [
    await Company.join(databases, { id: 'acme' }),
    await Company.join(databases, { id: 'beta', ownerEmail: 'boss@beta.test' }),
    await Company.join(databases, { id: 'gamma' }),
  ];
  const rows = (domain: string) =>
    csv(
      'User Email,User Name,Manager Email,Desk',
      ...Array.from(
        { length: 120 },
        (_, n) => `u${n}@${domain},Vorname${n} Nachname${n},u${n + 1}@${domain},Tisch${n}`,
      ),
    );
  for (const [company, domain] of [
    [acme, 'acme.test'],
    [beta, 'beta.test'],
  ] as const) {
    await company.import({ 'users.csv': rows(domain) });
    await company.import({ 'users.csv': rows(domain).replaceAll('Tisch', 'Platz') });
  }
  const person = ['u77@acme.test', 'Vorname77 Nachname77', 'Tisch77', 'Platz77'];
  const removed = ['@beta.test', 'boss@beta', await secretOf(beta)];
  const destroyed = [await secretOf(gamma)];
  const server = await startServe(t, { data });
  const run = async (...args: string[]) => {
    const ran = await runDropslot(args, { data });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout;
  };
  assert.notDeepEqual(findIn(data, removed), []);
  assert.notDeepEqual(findIn(data, destroyed), []);
  await run('users', 'set', 'acme', 'u77@acme.test', 'Desk=Sitz77');
  assert.notDeepEqual(findIn(data, ['Sitz77']), [], 'the log of the database has it');
  const erased = await run('users', 'erase', 'acme', 'u77@acme.test', '--yes');
  assert.match(erased, /Erased the user; .*names nobody[\s\S]*Backups made before now still have this person/);
  // Beta has a person of the same name.
  assert.deepEqual(findIn(data, ['u77@acme.test', 'Sitz77']), []);
  await run('orgs', 'remove', 'beta', '--yes');
  assert.deepEqual(findIn(data, [...removed, ...person]), []);
  await run('identity', 'destroy', 'gamma', '--yes');
  assert.deepEqual(findIn(data, destroyed), []);
  assert.notDeepEqual(findIn(data, ['u78@acme.test']), [], 'others are there');
  assert.equal(await server.stop(), 0);
});
