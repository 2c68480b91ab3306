/** The files of `--out`: whole and private or unchanged; pipes, devices and links are kept as they are. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { once, writePrivateFile } from '../../cli/localfiles.js';
import { temporaryFolder } from '../support/temporary.js';

test('a new file is private, and its folders are made', async (t) => {
  const file = join(temporaryFolder(t), 'deep', 'er', 'users.csv');
  assert.deepEqual(await writePrivateFile(file, once('äb')), { bytes: 3, isFile: true });
  assert.equal(readFileSync(file, 'utf8'), 'äb');
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('an existing file is replaced by a whole one, or unchanged', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'users.csv');
  writeFileSync(file, 'old');
  async function* broken() {
    yield 'new';
    throw new Error('the database is away');
  }
  await assert.rejects(writePrivateFile(file, broken()), /the database is away/);
  assert.equal(readFileSync(file, 'utf8'), 'old');
  assert.deepEqual(readdirSync(folder), ['users.csv']);
  await writePrivateFile(file, once('new'));
  assert.equal(readFileSync(file, 'utf8'), 'new');
});

test('a link stays a link: its target is replaced, or made', async (t) => {
  const folder = temporaryFolder(t);
  const [target, link] = [join(folder, 'target.csv'), join(folder, 'link.csv')];
  writeFileSync(target, 'old');
  symlinkSync(target, link);
  await writePrivateFile(link, once('new'));
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.equal(readFileSync(target, 'utf8'), 'new');
});

test('a FIFO gets the bytes, and remains', async (t) => {
  const fifo = join(temporaryFolder(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const [read, written] = await Promise.all([readFile(fifo, 'utf8'), writePrivateFile(fifo, once('User Email\n'))]);
  assert.deepEqual([read, written], ['User Email\n', { bytes: 11, isFile: false }]);
  assert.ok(lstatSync(fifo).isFIFO());
});

test('a device is written to; one that is full is an error', { skip: !existsSync('/dev/full') }, async () => {
  assert.deepEqual(await writePrivateFile('/dev/null', once('x')), { bytes: 1, isFile: false });
  await assert.rejects(writePrivateFile('/dev/full', once('x')), /can't write \/dev\/full: .*no space/);
  assert.ok(lstatSync('/dev/null').isCharacterDevice());
});

test('a folder and a socket are refused, and a path below a file fails', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'exports'));
  await assert.rejects(
    writePrivateFile(join(folder, 'exports'), once('x')),
    /will not write to .*: it is a folder; name a file in it/,
  );
  const socket = join(folder, 's');
  const server = createServer().listen(socket);
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  await assert.rejects(writePrivateFile(socket, once('x')), /it is a socket/);
  writeFileSync(join(folder, 'file'), '');
  await assert.rejects(writePrivateFile(join(folder, 'file', 'users.csv'), once('x')), /can't write/);
});
