/** Large users files that `gpg` encrypted, from upload to report: seconds, and the highest memory of each process. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { askDropslot, runDropslot, runProgram } from '../demo/program.js';
import { runSftp } from './client.js';
import { watchMemory } from './memory.js';
import { benchOrg, type Dropslot } from './peers.js';
import { describePeaks, mebibytes, type Section } from './report.js';
import type { Workbench } from './workbench.js';

/** Of a column without a label, which an import reads and leaves out: many bytes in few rows. */
const wideBytes = 16 * 1024;

interface Form {
  title: string;
  name: string;
  /** null: as it is. */
  options: readonly string[] | null;
}

const forms: readonly Form[] = [
  { title: 'not encrypted', name: 'users.csv', options: null },
  { title: 'compressed (ZIP)', name: 'users.csv.pgp', options: [] },
  { title: 'not compressed', name: 'users.pgp', options: ['--compress-algo', 'none'] },
  { title: 'not compressed, in ASCII armor', name: 'users.csv.asc', options: ['--compress-algo', 'none', '--armor'] },
];

export async function benchPgp(bench: Workbench): Promise<Section> {
  const { folder, flags, say } = bench;
  const section: Section = {
    title: 'Files encrypted with PGP',
    about:
      `A users file of ${flags.size} MiB, rows of ${wideBytes / 1024} KiB of random text, encrypted by \`gpg\` to an RSA key of 3072 bits with AES-256 and ` +
      'integrity protection: `sftp put` and `dropslot import` into an empty directory, each form on a new server. Seconds of the whole command of the import, ' +
      'which decrypts the file at least twice.',
    header: ['form', 'file', 'import s', 'peak resident memory'],
    rows: [],
    notes: [],
  };
  if (spawnSync('gpg', ['--version']).error !== undefined) {
    section.notes.push('Left out: gpg is not installed here.');
    return section;
  }
  const plain = join(folder, 'plain.csv');
  const rows = await writeUsers(plain, flags.size * 1024 * 1024);
  for (const form of forms) {
    const ours = await bench.startOurs();
    const file = form.options === null ? plain : await encrypt(ours, plain, form.options);
    const { size } = await stat(file);
    await runSftp(ours, `put "${file}" "${form.name}"`);
    const memory = watchMemory(process.pid);
    const began = performance.now();
    await runDropslot(ours.data, ['import', benchOrg]);
    const seconds = (performance.now() - began) / 1000;
    const peaks = new Map([...memory.peaks()].filter(([role]) => /^dropslot (?:serve|import)$|^importer$/.test(role)));
    memory.stop();
    const users = await askDropslot<unknown[]>(ours.data, ['users', 'list', benchOrg]);
    if (users.length !== rows + 1) throw new Error(`${form.title}: ${users.length} users instead of ${rows + 1}`);
    await ours.stop();
    if (file !== plain) await rm(file);
    say(`pgp ${form.title}: ${seconds.toFixed(1)} s, ${describePeaks(peaks)}`);
    section.rows.push([form.title, mebibytes(size), seconds.toFixed(1), describePeaks(peaks)]);
  }
  return section;
}

/** Returns the number of its users. */
async function writeUsers(path: string, bytes: number): Promise<number> {
  const rows = Math.ceil(bytes / wideBytes);
  const lines = function* () {
    yield 'User Email,User Name,\n';
    for (let row = 0; row < rows; row++)
      yield `user${row}@bench.test,User ${row},${randomBytes((wideBytes * 3) / 4).toString('base64')}\n`;
  };
  await pipeline(Readable.from(lines()), createWriteStream(path));
  return rows;
}

async function encrypt(ours: Dropslot, plain: string, options: readonly string[]): Promise<string> {
  const home = join(ours.folder, 'gnupg');
  await mkdir(home, { mode: 0o700 });
  await runDropslot(ours.data, ['pgp', 'generate', benchOrg]);
  const { stdout: key } = await runDropslot(ours.data, ['pgp', 'export-public', benchOrg]);
  const { fingerprint } = await askDropslot<{ fingerprint: string }>(ours.data, ['pgp', 'export-public', benchOrg]);
  const file = join(ours.folder, 'key.asc');
  await writeFile(file, key);
  const gpg = (...args: string[]) => runProgram('gpg', ['--homedir', home, '--batch', '--quiet', ...args]);
  try {
    await gpg('--import', file);
    const encrypted = join(ours.folder, 'encrypted');
    await gpg('--trust-model', 'always', ...options, '--encrypt', '-r', fingerprint, '--output', encrypted, plain);
    return encrypted;
  } finally {
    await runProgram('gpgconf', ['--homedir', home, '--kill', 'all']).catch(() => {}); // none may run
  }
}
