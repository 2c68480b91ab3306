/**
 * After a power cut commands, and sessions behind an sshd, find small files that only the database has, before the server starts. A worker
 * takes over those of one that died.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { composeSession, openWorkplace } from '../../app/compose.js';
import { superviseWorker } from '../../app/workerprocess.js';
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import { blobPath } from '../../storage/blobs.js';
import { readBoot } from '../../storage/boot.js';
import { openFresh } from '../support/databases.js';
import { openIntake } from '../support/intake.js';

const openers: [string, (settings: Settings) => Promise<{ close(): Promise<void> }>][] = [
  ['a command', (settings) => openWorkplace(settings, { create: true })],
  ['a session behind an sshd', (settings) => composeSession(settings, 'acme', createSilentLogger())],
];

for (const [who, open] of openers)
  test(`${who} gives back the files of before the machine's start, and leaves the others to the server`, async (t) => {
    const databases = await openFresh(t, 'sqlite');
    const paths = pathsOf(databases.settings);
    const { put, control } = await openIntake(t, databases, { paths });
    const files: string[] = [];
    for (const boot of ['an-earlier-boot', readBoot() ?? '']) {
      await put(`/${boot}.csv`, boot);
      const { blob_id: id } = await control
        .read('entries')
        .where({ name: `${boot}.csv` })
        .first('blob_id');
      files.push(blobPath(paths, id));
      const row = { id, bytes: readFileSync(blobPath(paths, id)), boot };
      if (boot !== 'an-earlier-boot') {
        await (await open(databases.settings)).close();
        assert.equal(existsSync(files[0]!), true);
      }
      await control.write('unsynced_blobs').insert(row);
      rmSync(blobPath(paths, id));
    }
    assert.equal((await control.read('unsynced_blobs').select('id')).length, 1);
    await (await open(databases.settings)).close();
    assert.equal(existsSync(files[1]!), false);
  });

test('a worker that starts writes whole files anew: the one before it may have died after a sync had failed', async (t) => {
  const { settings, ...databases } = await openFresh(t, 'sqlite');
  const paths = pathsOf(settings);
  const { put, control } = await openIntake(t, { settings, ...databases }, { paths });
  await put('/users.csv', 'User Email\n');
  const [id] = await control.read('blobs').pluck('id');
  const path = blobPath(paths, id);
  const [before, bytes] = [statSync(path).ino, readFileSync(path)];
  await control.write('unsynced_blobs').insert({ id, bytes, boot: readBoot() ?? '' });
  const worker = superviseWorker({
    ...{ number: 1, settings, secrets: { master: null, passphrase: null }, countsAudit: false, isGuest: true },
    ...{
      logger: createSilentLogger(),
      hostKeys: () => [],
      onStart: () => {},
      onMessage: () => {},
      onEnd: async () => {},
    },
  });
  await worker.ready.finally(() => worker.stop(0));
  assert.notEqual(statSync(path).ino, before);
  assert.deepEqual(readFileSync(path), bytes);
  assert.deepEqual(await control.read('unsynced_blobs'), []);
});
