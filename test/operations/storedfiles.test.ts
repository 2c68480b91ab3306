/** Operators see the files that are not imported because of their names: in the queue, in the list, in the details, by doctor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { updateOrg } from '../../db/control/orgs.js';
import { listQueue } from '../../db/control/uploads.js';
import { walkFiles } from '../../operations/files.js';
import { detailOrg } from '../../operations/orgdetails.js';
import { setOrganization } from '../../operations/orgs.js';
import { readAssignments } from '../../operations/orgsettings/orgsettings.js';
import { listQueued } from '../../operations/queue.js';
import { Company } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { examine, workplaceOn } from '../support/workplace.js';

const rename = 'not imported: waits for its rename to a final name';
const notData =
  'not imported: its name does not look like a data file; rename it or allow the pattern (orgs set importPatterns=…)';

test('a stored file has its reason in each view, and doctor warns after a day', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const { control } = acme.deps;
  await updateOrg(control.write, 'acme', { enabled: true });
  const place = { ...(await workplaceOn(t, acme.databases.settings)), now: () => acme.clock };
  for (const name of ['users.upload', 'users.csv', 'users.dat'])
    await acme.drop(`/${name}`, 'User Email\nann@acme.test\n');

  const queue = (await listQueued(place, 'acme')).map(({ path, state, note }) => [path, state, note]);
  assert.deepEqual(queue, [
    ['/users.csv', 'queued', null],
    ['/users.upload', 'stored', rename],
    ['/users.dat', 'stored', notData],
  ]);
  const listed = new Map<string, string | null>();
  for await (const { path, note } of walkFiles(place, 'acme', '/')) listed.set(path, note);
  assert.deepEqual([...listed].filter(([, note]) => note !== null).sort(), [
    ['/users.dat', notData],
    ['/users.upload', rename],
  ]);
  const { queued, waitingForRename, notImported } = await detailOrg(place, await place.org('acme'));
  assert.deepEqual([queued, waitingForRename, notImported], [1, 1, 1]);

  const told = async () => {
    const findings = await examine(place.settings, { now: () => acme.clock });
    return findings
      .filter(({ message }) => /rename|data files/.test(message))
      .map(({ level, message }) => [level, message]);
  };
  const others = [
    'ok',
    'stored files that are not imported, as their names do not look like data files: 1; see "dropslot queue acme"',
  ];
  assert.deepEqual(await told(), [
    ['ok', 'files that wait for their rename to a final name: 1; see "dropslot queue acme"'],
    others,
  ]);
  acme.clock += 25 * 60 * 60_000;
  const [[level, message], second] = (await told()) as [[string, string], unknown];
  assert.equal(level, 'warning');
  assert.match(
    message,
    /^files that have waited for more than a day for their rename to a final name, .*: 1, the oldest since/,
  );
  assert.deepEqual(second, others);

  const notes: string[] = [];
  const fields = readAssignments(['importPatterns=*.dat, hr/*', 'temporaryNames=staging/']);
  const { options } = await setOrganization(place, 'acme', fields, { note: (sentence) => notes.push(sentence) });
  assert.deepEqual([options.importPatterns, options.temporaryNames], [['*.dat', 'hr/*'], ['staging/']]);
  assert.deepEqual(notes, ['Stored files that are queued now: 1.']);
  assert.deepEqual(
    (await listQueue(control.read, 'acme')).map(({ path }) => path),
    ['/users.csv', '/users.dat'],
  );
});

test('patterns that no path has, or that would stop every import, are refused', () => {
  for (const bad of [
    'importPatterns=',
    'importPatterns=a//b',
    'importPatterns=../x',
    'importPatterns=*.dat,,x',
    `importPatterns=${'a'.repeat(201)}`,
  ])
    assert.throws(() => readAssignments([bad]), { code: 'usage' }, bad);
  for (const bad of ['temporaryNames=*', 'temporaryNames=*/', 'temporaryNames=/'])
    assert.throws(() => readAssignments([bad]), { code: 'usage' }, bad);
  assert.deepEqual(readAssignments(['importPatterns=*']).options, { importPatterns: ['*'] });
});
