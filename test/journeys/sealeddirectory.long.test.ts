/** A sealed directory on the built program: no byte of the disk has a user's address, whatever runs, is killed or ends. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { searchBytes } from '../support/bytes.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const count = Number(process.env.SEALED_USERS ?? 2000);
/** Between two searches, which take some of the processor. */
const pauseMs = 20;
/** In every address, and in nothing else. */
const needle = 'n33dle';
const emailOf = (n: number) => `${needle}.${n}@acme.example`;

test('no address is on the disk during an import, a check, an export, a backup, an erasure, after a kill, after a stop', async (t) => {
  const data = temporaryFolder(t);
  const env = { DROPSLOT_SEAL_DIRECTORY: 'on' };
  const sealed = { data, env };
  const away = temporaryFolder(t);
  const file = join(away, 'users.csv');
  const lines = Array.from({ length: count }, (_, n) => `${emailOf(n)},User ${n},${emailOf(n % 50)},Team ${n % 40}`);
  writeFileSync(file, `User Email,User Name,Manager Email,Teams\n${lines.join('\n')}\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], sealed);
  let isStageSeen = false;
  /** Searches again and again while `work` runs, and once after it. */
  const search = async <T>(what: string, work: Promise<T>): Promise<T> => {
    let isOver = false;
    const ended = work.finally(() => {
      isOver = true;
    });
    for (let isLast = false; !isLast; ) {
      isLast = isOver;
      const { found, read } = searchBytes(data, needle);
      assert.deepEqual(found, [], what);
      isStageSeen ||= read.some((path) => path.startsWith(join(data, 'stage')));
      await sleep(pauseMs);
    }
    return ended;
  };
  const key = newKeyPair();
  const publicKey = join(away, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['keys', 'add', 'acme', publicKey], sealed);
  const server = await startServe(t, sealed);
  const client = new SftpClient();
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
  await client.put(file, '/users.csv');
  await client.end();
  await search('import', askDropslot(['import', 'acme'], sealed));
  assert.ok(isStageSeen, 'no search met a stage');
  await search('check', askDropslot(['check', 'acme', file], sealed));
  const exported = await search('export', runDropslot(['users', 'export', 'acme'], sealed));
  assert.ok(exported.stdout.includes(emailOf(7)));
  const backup = join(away, 'backup');
  await search('backup', askDropslot(['backup', backup], sealed));
  assert.deepEqual(searchBytes(backup, needle).found, []);
  await search('erasure', askDropslot(['users', 'erase', 'acme', emailOf(count - 1), '--yes'], sealed));
  await server.stop('SIGKILL');
  await search('kill', Promise.resolve());
  const left = await askDropslot<unknown[]>(['users', 'list', 'acme'], sealed);
  await search('stop', Promise.resolve());
  assert.equal(left.length, count);

  // The databases of the backup open by the same master key; this search does find what is in the clear.
  const restored = { data: backup, env: { DROPSLOT_MASTER_KEY: join(data, 'keys', 'master.key') } };
  await askDropslot(['directory', 'unseal'], restored);
  assert.deepEqual(searchBytes(backup, needle).found, [join(backup, 'directory.db')]);
});
