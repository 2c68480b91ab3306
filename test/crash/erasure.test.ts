/** An erasure is killed at each step, and files arrive before it is repeated: the next one knows the person by all names. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { listBlobs } from '../../db/control/blobs.js';
import { listPending } from '../../db/directory/pendingerasures.js';
import { type ErasureStep, eraseUser, readmitUser } from '../../operations/people/erase.js';
import { openBlobOf } from '../../storage/blobs.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { moduleArguments } from '../support/program.js';
import { examine, workplaceOn } from '../support/workplace.js';

const secret = /ann@acme|ann\.old@acme|Leeuwenhoek|E-77001|Annie\s+L/i;
const options = { waitMs: 0, removesUnsearched: false };

for (const step of ['searched', 'deleted', 'searched again', 'recorded'] satisfies ErasureStep[])
  test(`an erasure that is killed when it has ${step}, and files that arrive meanwhile`, async (t) => {
    const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, {
      options: { identifier: 'Employee ID' },
    });
    const { settings } = acme.databases;
    const place = await workplaceOn(t, settings);
    const people = (email: string) =>
      csv(
        'User Email,User Name,Manager,Employee ID,Note',
        `${email},Ännchen Leeuwenhoek,,E-77001,`,
        'bob@acme.test,Bob,Ännchen Leeuwenhoek,E-2,the desk of annie  l is free',
      );
    await acme.import({ 'old.csv': people('ann.old@acme.test') });
    await acme.import({ 'users.csv': people('ann@acme.test') });
    const args = [settings.data, settings.database, 'ann@acme.test', 'Annie L', step];
    const killed = spawn(process.execPath, [...moduleArguments('./erasure.child', import.meta.url), ...args], {
      stdio: 'inherit',
    });
    assert.equal(((await once(killed, 'exit')) as [number | null, string | null])[1], 'SIGKILL');
    for (const email of ['ann.old@acme.test', 'ann@acme.test', 'ann at acme'])
      await acme.drop(`/late-${email}.csv`, people(email));
    await acme.drop('/notes.txt', 'Annie L called; ask ANN.OLD@acme.test');

    const [pending] = await listPending(place.directory.read, ['acme']);
    assert.equal(pending !== undefined, step !== 'searched');
    if (pending !== undefined) {
      await assert.rejects(readmitUser(place, 'acme', 'ann@acme.test'), {
        code: 'refused',
        message: /was interrupted/,
      });
      const told = (await examine(settings)).find(({ message }) =>
        message.includes(`users erase acme ${pending.receipt}`),
      );
      assert.equal(told?.level, 'wrong');
    }
    const [who, texts] = pending === undefined ? ['ann@acme.test', ['Annie L']] : [pending.receipt, []];
    const erasure = await eraseUser(place, 'acme', who, { ...options, texts });
    assert.deepEqual(await listPending(place.directory.read, ['acme']), []);
    assert.equal(erasure.names.renamed, 2);
    for (const { id } of await listBlobs(place.control.read, 'acme')) {
      const reader = await openBlobOf(place.paths, id, () => place.identity(acme.org));
      const pieces: Buffer[] = [];
      for await (const piece of reader.stream()) pieces.push(piece);
      await reader.close();
      assert.doesNotMatch(Buffer.concat(pieces).toString(), secret);
    }
    for (const table of ['entries', 'uploads', 'moved_names', 'runs'])
      assert.doesNotMatch(JSON.stringify(await place.control.read(table)), /ann@acme|ann\.old@acme|E-77001/i, table);
    const [bob] = await place.directory.read('users').where({ email_key: 'bob@acme.test' }).select('custom');
    assert.match(bob.custom, /the desk of \(erased\) is free/);
    await assert.rejects(eraseUser(place, 'acme', erasure.receipt, options), { code: 'not_found' });
    await readmitUser(place, 'acme', 'ann.old@acme.test');
  });
