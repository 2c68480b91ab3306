/**
 * Makes a data folder of many organizations, for trying every command as an operator of many customers would:
 * node --import tsx bench/organizations.ts FOLDER [2000]. Each has a key; every tenth has imported files, and files that wait.
 */
import { openWorkplace } from '../app/compose.js';
import { settingsSchema } from '../config/settings.js';
import { addKeys } from '../operations/loginkeys.js';
import { addOrganization } from '../operations/orgs.js';
import { Company, csv } from '../test/support/company.js';
import { newKeyPair } from '../test/support/keys.js';

const [data, count = '2000'] = process.argv.slice(2);
if (data === undefined) throw new Error('usage: node --import tsx bench/organizations.ts FOLDER [2000]');
const settings = settingsSchema.parse({ data });
const place = await openWorkplace(settings, { create: true });
const { control, directory } = place;
const kinds = ['logistics', 'hospital-group', 'university-applied-sciences', 'bank', 'retail-holding-company'];

for (let number = 1; number <= Number(count); number++) {
  const id = `${kinds[number % kinds.length]}-${String(number).padStart(4, '0')}`;
  const owner = `jane.smith-${number}@${id}.example.com`;
  const name = `${id.replaceAll('-', ' ')} incorporated, München`;
  if (number % 10 === 0) {
    const company = await Company.join({ settings, control, directory } as Parameters<typeof Company.join>[0], {
      id,
      name,
      ownerEmail: owner,
    });
    const rows = Array.from({ length: 20 }, (_, row) => `user${row}@${id}.example.com,User ${row},Team ${row % 3}`);
    await company.import({ 'users.csv': csv('User Email,User Name,Teams', owner, ...rows, 'no address,x,y') });
    await company.drop('/exports-of-the-hr-system/users-of-the-whole-group-2026-11-29.csv', csv('User Email', owner));
  } else await addOrganization(place, id, { ownerEmail: owner, name }, number % 3 !== 0);
  const { algorithm, publicKey } = newKeyPair().public;
  await addKeys(place, id, `${algorithm} ${publicKey} hr-system@${id}.example.com\n`, {});
  if (number % 200 === 0) console.log(`${number} organizations`);
}
await place.close();
