/** Names are private: whoever has the data folder, but not the control database, learns no name of a file or folder. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { globSync } from 'tinyglobby';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const names = ['Falcon-layoffs', 'Zürich-Übernahme', 'cut-off-payroll', 'renamed-severance', 'part-of-board'];

/** The bytes of a file; null for one that the running server moved or removed since it was listed. */
function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Every file of the data folder that has one of the names, as `file: name`. */
function findNames(data: string): string[] {
  return globSync('**', { cwd: data, dot: true, absolute: true, onlyFiles: true }).flatMap((file) => {
    const content = readIfThere(file);
    if (content === null) return [];
    const shown = relative(data, file);
    return names.filter((name) => content.includes(name) || shown.includes(name)).map((name) => `${shown}: ${name}`);
  });
}

test('names of files and folders are in the control database alone', async (t) => {
  const data = temporaryFolder(t);
  const key = newKeyPair();
  const publicKey = join(temporaryFolder(t), 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  const server = await startServe(t, { data });
  const connect = async () => {
    const client = new SftpClient();
    client.on('error', () => {});
    await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
    return client;
  };
  const client = await connect();
  await client.mkdir(`/${names[0]}`);
  // One that is imported, one that is superseded, one that is refused, one that is renamed, one that is cut off.
  await client.put(Buffer.from('User Email\nann@acme.test\nnobody\n'), `/${names[0]}/${names[1]}.csv`);
  await client.put(Buffer.from('User Email\nbob@acme.test\n'), `/${names[0]}/${names[1]}.csv`);
  await client.put(Buffer.from('no header of ours\n'), `/${names[4]}.csv.part`);
  await client.rename(`/${names[4]}.csv.part`, `/${names[3]}.csv`);
  const cut = await connect();
  const stream = cut.createWriteStream(`/${names[2]}.csv`);
  stream.on('error', () => {});
  stream.write(Buffer.alloc(300_000, 'x'));
  await until(async () => (await client.list('/')).length > 0 && stream.writableLength === 0, 'it was written', 20_000);
  assert.deepEqual(outside(findNames(data)), [], 'while it is uploaded');
  await cut.end();
  const ran = await runDropslot(['import', 'acme'], { data });
  assert.match(ran.stderr, /refused: \/renamed-severance\.csv/);
  assert.equal((await client.list('/reports')).length, 1);
  assert.deepEqual(outside(findNames(data)), [], 'after the import');
  await client.end();
  await server.stop();

  const found = findNames(data);
  assert.deepEqual(outside(found), []);
  for (const name of names)
    assert.ok(
      found.some((line) => line.endsWith(name)),
      `${name} was looked for in vain`,
    );
});

function outside(found: readonly string[]): string[] {
  return found.filter((line) => !line.startsWith('control.db'));
}
