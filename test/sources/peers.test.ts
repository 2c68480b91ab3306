/** Fetching from OpenSSH's sshd, from ProFTPD's mod_sftp and from Dropslot itself, and a process that is killed while it fetches. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SftpConfig } from '../../db/control/sources.js';
import { generatePair } from '../../keys/host/pair.js';
import { parsePublicKeys } from '../../keys/login/publickeys.js';
import type { RoundStep } from '../../sources/deps.js';
import { readHostKey } from '../../sources/sftp/connection.js';
import { type Door, openDoor } from '../support/doors.js';
import { allowKey } from '../support/keys.js';
import { missingProftpd, startProftpd } from '../support/proftpd.js';
import { moduleArguments } from '../support/program.js';
import { startTestServer } from '../support/server.js';
import { missingSshd, startSshd } from '../support/sshd.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const content = 'User Email,User Name\nann@acme.test,Ann\n';

const base: SftpConfig = {
  kind: 'sftp',
  ...{ host: '127.0.0.1', port: 0, user: '', auth: 'key', publicKey: null, hostKeys: [], path: '/', patterns: [] },
  after: { kind: 'keep' },
  ...{ when: 'every:30m', into: '/', allowPrivate: true, legacyAlgorithms: false },
};

interface Peer {
  door: Door;
  put(name: string, text?: string): void | Promise<void>;
  names(): Promise<string[]> | string[];
}

async function openPeer(scope: Scope, kind: 'sshd' | 'proftpd'): Promise<Peer> {
  const folder = temporaryFolder(scope);
  const pair = generatePair(kind === 'sshd' ? 'ed25519' : 'rsa');
  const out = join(folder, 'out');
  mkdirSync(out);
  const server =
    kind === 'sshd'
      ? await startSshd(scope, folder, [pair.public], ['Subsystem sftp internal-sftp'])
      : await startProftpd(scope, folder, pair.public);
  const config = { ...base, port: server.port, user: server.user, path: out };
  const { fingerprint } = await readHostKey(config, { idleMs: 10_000 });
  const door = await openDoor(scope, { ...config, hostKeys: [fingerprint] }, { privateKey: pair.private });
  const put = (name: string, text = content) => {
    writeFileSync(join(out, name), text);
    utimesSync(join(out, name), 1_700_000_000, 1_700_000_000);
  };
  return { door, put, names: () => readdirSync(out, { recursive: true }).map(String).sort() };
}

/** Dropslot's own server as the customer's. */
async function openOwn(scope: Scope): Promise<Peer> {
  const server = await startTestServer(scope);
  const pair = generatePair('ed25519');
  await allowKey(server.control, 'acme', { private: pair.private, public: parsePublicKeys(pair.public)[0]! });
  const config = { ...base, port: server.port, user: 'acme' };
  const { fingerprint } = await readHostKey(config, { idleMs: 10_000 });
  const door = await openDoor(scope, { ...config, hostKeys: [fingerprint] }, { privateKey: pair.private });
  const put = async (name: string, text = content) => {
    const flags = {
      truncate: true,
      exclusive: false,
      create: true,
      append: false,
      attributes: { mtimeMs: 1_700_000_000_000 },
    };
    const from = { keyFingerprint: null, address: null, client: null };
    const upload = await server.intake.forSender(server.org, from).begin(`/${name}`, flags);
    await upload.write(0, Buffer.from(text));
    await upload.finish();
  };
  const names = async () => {
    const rows = await server.control.read('entries').where({ kind: 'file' }).select('dir', 'name');
    return rows.map(({ dir, name }) => `${dir === '/' ? '' : `${dir.slice(1)}/`}${name}`).sort();
  };
  return { door, put, names };
}

const peers: [string, string | false, (scope: Scope) => Promise<Peer>][] = [
  ["OpenSSH's sshd", missingSshd(), (scope) => openPeer(scope, 'sshd')],
  ["ProFTPD's mod_sftp", missingProftpd(), (scope) => openPeer(scope, 'proftpd')],
  ["Dropslot's own server", false, openOwn],
];

for (const [title, skip, open] of peers)
  test(`from ${title}`, { skip }, async (t) => {
    const { door, put, names } = await open(t);
    await put('users.csv');
    await put('users.csv.part');
    const large = `${content}${'x'.repeat(3_000_001)}`;
    await put('big.csv', large);
    const first = await door.round();
    assert.deepEqual([first.failure, first.result?.taken, first.result?.problems], [null, 2, []]);
    assert.equal(await door.company.read('/big.csv'), large);
    assert.equal((await door.round()).result?.taken, 0);

    await door.change({ after: { kind: 'move', to: 'done' } });
    await put('teams.csv', 'Team Name\nX\n');
    const moved = await door.round();
    assert.deepEqual([moved.result?.taken, moved.result?.problems], [1, []]);
    assert.ok((await names()).includes('done/teams.csv'));
    await put('teams.csv', 'Team Name\nY\n');
    assert.deepEqual((await door.round()).result?.problems, []);
    assert.ok((await names()).includes('done/teams.2.csv'));

    await door.change({ after: { kind: 'delete' } });
    await put('more.csv', 'Team Name\nZ\n');
    assert.deepEqual((await door.round()).result?.problems, []);
    assert.ok(!(await names()).includes('more.csv'));
    assert.equal((await door.queue()).length, 4);
  });

/** The other steps are in fetch.test.ts, without a process; all of them here with DROPSLOT_CRASH_STEPS=all. */
const all: RoundStep[] = ['connected', 'listed', 'opened', 'read', 'sealed', 'taken', 'finished'];
const killedAt: RoundStep[] = process.env.DROPSLOT_CRASH_STEPS === 'all' ? all : ['read', 'taken'];

for (const step of killedAt)
  test(`a process that is killed at the step "${step}" of a fetch from sshd`, { skip: missingSshd() }, async (t) => {
    const { door, put, names } = await openPeer(t, 'sshd');
    const { company, id } = door;
    await door.change({ after: { kind: 'delete' } });
    put('users.csv');
    const args = [
      ...moduleArguments('../crash/sources.child', import.meta.url),
      company.databases.settings.data,
      String(id),
      step,
    ];
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL');
    const isDurable = step === 'taken' || step === 'finished';
    assert.equal((await door.queue()).length, isDurable ? 1 : 0);
    assert.equal((await names()).includes('users.csv'), step !== 'finished');

    company.clock = Date.now(); // that of the killed process
    await assert.rejects(door.round(), /claimed/, 'its lease has not ended yet');
    company.clock = Date.now() + 300_000;
    const { result } = await door.round();
    assert.equal(result?.taken, isDurable ? 0 : 1);
    assert.deepEqual([(await door.queue()).length, await names()], [1, []]);
    assert.equal(await company.read('/users.csv'), content);
    assert.ok(existsSync(company.databases.settings.data));
  });

test('an old server is reached only with --legacy-algorithms', { skip: missingSshd() }, async (t) => {
  const folder = temporaryFolder(t);
  const pair = generatePair('rsa');
  const old = [
    'Subsystem sftp internal-sftp',
    ...['KexAlgorithms diffie-hellman-group14-sha1', 'Ciphers aes128-cbc', 'MACs hmac-sha1'],
    'PubkeyAcceptedAlgorithms +ssh-rsa',
  ];
  const { port, user } = await startSshd(t, folder, [pair.public], old);
  const config = { ...base, port, user, path: folder };
  await assert.rejects(readHostKey(config, { idleMs: 10_000 }), { code: 'incompatible' });
  const { fingerprint } = await readHostKey({ ...config, legacyAlgorithms: true }, { idleMs: 10_000 });
  const door = await openDoor(t, { ...config, hostKeys: [fingerprint] }, { privateKey: pair.private });
  assert.match((await door.round()).failure!.message, /--legacy-algorithms/);
  await door.change({ legacyAlgorithms: true });
  assert.equal((await door.round()).failure, null);
});

test('any confirmed host key of a server that has several is found', { skip: missingSshd() }, async (t) => {
  const folder = temporaryFolder(t);
  const pair = generatePair('ed25519');
  const second = join(folder, 'rsa_host');
  const rsa = generatePair('rsa');
  writeFileSync(second, rsa.private, { mode: 0o600 });
  const { port, user } = await startSshd(
    t,
    folder,
    [pair.public],
    ['Subsystem sftp internal-sftp', `HostKey ${second}`],
  );
  const [key] = parsePublicKeys(rsa.public);
  const config = { ...base, port, user, path: folder, patterns: ['*.csv'], hostKeys: [key!.fingerprint] };
  const door = await openDoor(t, config, { privateKey: pair.private });
  assert.equal((await door.round()).failure, null);
});
