/** `dropslot sftp-server`: on its own, beside a server, and behind a real sshd. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openControl } from '../../db/connection.js';
import { listAudit } from '../../db/control/audit.js';
import { listQueue } from '../../db/control/uploads.js';
import { missing } from '../support/peers.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { kill, missingSshd, newKey, startSshd } from '../support/sshd.js';
import { temporaryFolder } from '../support/temporary.js';
import { openFor, Wire } from '../support/wire.js';

const program = fileURLToPath(new URL('../../dist/app/main.js', import.meta.url));
const forUpload = openFor.write | openFor.create | openFor.truncate;
const users = 'User Email,User Name\nann@acme.test,Ann\nbo@acme.test,Bo\n';
const patienceMs = 60_000;

async function withAcme(t: TestContext) {
  const folder = temporaryFolder(t);
  const data = join(folder, 'data');
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  const control = await openControl({ data, database: 'sqlite', databasePool: 1, sqliteDriver: 'sqlite3' });
  t.after(() => control.close());
  const queue = async () => (await listQueue(control.read, 'acme')).map(({ path }) => path);
  return { folder, data, control, queue };
}

/** Starts one session and speaks to it. */
function startSession(t: TestContext, data: string, args: string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [program, '--data', data, 'sftp-server', '--org', 'acme', ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.after(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  const wire = new Wire(Duplex.from({ readable: child.stdout, writable: child.stdin }).on('error', () => {}));
  return { child, wire, ended: endOf(child), stderr: () => stderr };
}

async function endOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

test('a session on standard input and output ends with 0 at its end, and with 1 when it is cut off or stopped', async (t) => {
  const { data, queue } = await withAcme(t);
  const closed = startSession(t, data);
  await closed.wire.initialize();
  assert.equal((await closed.wire.put('/users.csv', users)).code, 0);
  closed.child.stdin.end();
  assert.equal(await closed.ended, 0);
  assert.match(closed.stderr(), /"end":"closed","filesReceived":1/);
  assert.deepEqual(await queue(), ['/users.csv']);
  assert.equal(statSync(join(data, 'blobs')).mode & 0o777, 0o700);

  const endings: ((child: ChildProcess) => unknown)[] = [
    (child) => child.stdin!.end(Buffer.from([0, 0, 0, 9, 4])),
    (child) => child.kill('SIGTERM'),
    (child) => child.kill('SIGHUP'),
  ];
  const codes = endings.map(async (end, number) => {
    const { child, wire, ended } = startSession(t, data);
    await wire.initialize();
    const handle = await wire.open(`/${number}.csv`, forUpload);
    await wire.write(handle, 0, 'half');
    end(child);
    return ended;
  });
  assert.deepEqual(await Promise.all(codes), [1, 1, 1]);
  assert.deepEqual(await queue(), ['/users.csv']);
});

test('sessions are refused in one line: no SFTP client, a disabled or unknown organization', async (t) => {
  const { folder, data } = await withAcme(t);
  const log = join(folder, 'log');
  const sshd = { SSH_CONNECTION: '192.0.2.7 50000 192.0.2.1 22' };
  const refuse = async (args: string[], env: Record<string, string> = {}) => {
    const session = startSession(t, data, ['--log', log, ...args], { ...sshd, ...env });
    session.child.stdin.end();
    return [await session.ended, session.stderr()];
  };
  assert.deepEqual(await refuse([], { SSH_ORIGINAL_COMMAND: 'md5sum users.csv' }), [
    4,
    'dropslot: this account is for SFTP only\n',
  ]);
  // Without --log: the program that writes to the system's log, and one line where there is none.
  const system = join(folder, 'system');
  writeFileSync(join(folder, 'logger'), `#!/bin/sh\necho "$@" >> ${system}\ncat >> ${system}\n`, { mode: 0o755 });
  const asked = { ...sshd, SSH_ORIGINAL_COMMAND: 'bash' };
  const logged = startSession(t, data, [], { ...asked, PATH: `${folder}:${process.env.PATH}` });
  assert.equal(await logged.ended, 4);
  assert.equal(logged.stderr(), 'dropslot: this account is for SFTP only\n');
  assert.match(readFileSync(system, 'utf8'), /-t dropslot .*\n.*session refused/);
  const unlogged = startSession(t, data, [], { ...asked, PATH: '/none' });
  assert.equal(await unlogged.ended, 4);
  assert.match(unlogged.stderr(), /^dropslot: could not write the log: .*logger.*\n/);
  const notNow = 'dropslot: SFTP is not available now; try again later, or ask the operator\n';
  assert.deepEqual(await refuse(['--org', 'other']), [5, notNow]);
  const open = startSession(t, data);
  await open.wire.initialize();
  await askDropslot(['orgs', 'disable', 'acme'], { data });
  assert.equal(await open.ended, 1, 'a session that is open ends with its organization');
  assert.deepEqual(await refuse([]), [4, 'dropslot: this account is closed; ask the operator\n']);
  const reasons = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).reason);
  assert.deepEqual(reasons, ['no SFTP client', 'no organization "other"', 'disabled organization']);
  assert.equal(statSync(log).mode & 0o777, 0o600);
});

test('a server that starts leaves other uploads alone; sessions of any kind work beside it', async (t) => {
  const { data, queue } = await withAcme(t);
  const one = startSession(t, data);
  const other = startSession(t, data, ['--role', 'intake']);
  const reader = startSession(t, data, ['--read-only']);
  await Promise.all([one.wire.initialize(), other.wire.initialize(), reader.wire.initialize()]);
  const handle = await one.wire.open('/users.csv', forUpload);
  await one.wire.write(handle, 0, users);
  const server = await startServe(t, { data });
  assert.equal((await one.wire.close(handle)).code, 0);
  assert.equal((await other.wire.put('/teams.csv', 'Team Name\nSales\n')).code, 0);
  await assert.rejects(other.wire.open('/users.csv', openFor.read), /takes files and opens none/);
  await assert.rejects(reader.wire.open('/users.csv', forUpload), /^Error: 3: /);
  assert.equal(await reader.wire.read(await reader.wire.open('/users.csv', openFor.read), 0, 1000), users);
  const all = [one, other, reader];
  for (const { child } of all) child.stdin.end();
  assert.deepEqual(await Promise.all(all.map(({ ended }) => ended)), [0, 0, 0]);
  assert.deepEqual(await queue(), ['/users.csv', '/teams.csv']);
  assert.equal(await server.stop(), 0);
});

test('sftp -D talks to it without a network, in every word that it knows', {
  skip: missing('sftp', 'openssh-client'),
}, async (t) => {
  const { folder, data, queue } = await withAcme(t);
  writeFileSync(join(folder, 'users.csv'), users);
  const command = `${process.execPath} ${program} --data ${data} sftp-server --org acme --log ${join(folder, 'log')}`;
  const { status, stdout, stderr } = spawnSync('sftp', ['-D', command], {
    cwd: folder,
    input: 'put users.csv\nls -l\ndf -h\ncp users.csv copy.csv\nget copy.csv back.csv\n',
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /-rw-r--r--\s+[1?] acme\s+acme\s+\d+ \w{3} [ \d]\d \d\d:\d\d users\.csv/);
  assert.match(stdout, /100GB\s+4\.0KB\s+100GB/);
  assert.equal(readFileSync(join(folder, 'back.csv'), 'utf8'), users);
  assert.deepEqual(await queue(), ['/users.csv', '/copy.csv']);
});

const skip = missingSshd() || missing('sftp', 'openssh-client');

test('behind an sshd: keys, certificates and forced commands, imports, and a session that is killed', {
  skip,
}, async (t) => {
  const { folder, data, control, queue } = await withAcme(t);
  const log = join(folder, 'log');
  const command = `${process.execPath} ${program} --data ${data} sftp-server --org acme --log ${log}`;
  const plain = newKey(join(folder, 'plain'));
  const forced = newKey(join(folder, 'forced'));
  newKey(join(folder, 'certified'));
  const authority = newKey(join(folder, 'ca'));
  const keygen = (...args: string[]) => spawnSync('ssh-keygen', args, { cwd: folder, encoding: 'utf8' });
  assert.equal(keygen('-q', '-s', 'ca', '-I', 'jane', '-n', userInfo().username, 'certified.pub').status, 0);
  writeFileSync(join(folder, 'cas'), `${authority}\n`);
  writeFileSync(join(folder, 'plain.pub'), plain);
  await askDropslot(['keys', 'add', 'acme', join(folder, 'plain.pub'), '--from', '127.0.0.0/8,::1'], { data });
  const listed = await runDropslot(['authorized-keys', 'acme', '--command', 'x "y"'], { data });
  const key = plain.split(' ').slice(0, 2).join(' ');
  assert.match(
    listed.stdout,
    /^restrict,from="127\.0\.0\.0\/8,::1\/128",command="x \\"y\\" --org acme" ssh-ed25519 AAAA/,
  );
  const authorized = (await runDropslot(['authorized-keys', 'acme'], { data })).stdout.trim();
  assert.ok(authorized.includes(key), authorized);
  assert.equal((await runDropslot(['authorized-keys', 'nobody'], { data })).stdout, '');
  const sshd = await startSshd(
    t,
    folder,
    [authorized, `command="${command} --read-only",restrict ${forced}`],
    [`Subsystem sftp ${command}`, `TrustedUserCAKeys ${join(folder, 'cas')}`],
  );
  const options = (key: string) => {
    const quiet = ['BatchMode=yes', 'IdentitiesOnly=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null'];
    return ['-F', 'none', '-i', join(folder, key), ...quiet.flatMap((option) => ['-o', option])];
  };
  const target = `${sshd.user}@127.0.0.1`;
  const start = (key: string) => {
    const child = spawn('sftp', ['-b', '-', '-P', String(sshd.port), ...options(key), target], { cwd: folder });
    t.after(() => void child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdout.resume();
    child.stdin.on('error', () => {});
    return { child, ended: endOf(child), stderr: () => stderr };
  };
  const sftp = async (key: string, commands: string) => {
    const { child, ended, stderr } = start(key);
    child.stdin.end(commands);
    return { code: await ended, stderr: stderr() };
  };

  writeFileSync(join(folder, 'users.csv'), users);
  const put = await sftp('plain', 'put users.csv\n');
  assert.equal(put.code, 0, put.stderr + sshd.log());
  assert.deepEqual(await queue(), ['/users.csv']);
  const certified = await sftp('certified', 'put users.csv teams.csv.part\n');
  assert.equal(certified.code, 0, certified.stderr + sshd.log());
  const refused = await sftp('forced', 'get users.csv back.csv\nput users.csv\n');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /ermission denied/);
  assert.equal(readFileSync(join(folder, 'back.csv'), 'utf8'), users);
  const probe = spawnSync('ssh', ['-p', String(sshd.port), ...options('forced'), target, 'md5sum users.csv'], {
    encoding: 'utf8',
  });
  assert.equal(probe.status, 4);
  assert.match(probe.stderr, /^dropslot: this account is for SFTP only$/m);

  const closes = (await listAudit(control.read, 'acme')).filter(({ action }) => action === 'upload.closed');
  const fingerprint = (key: string) => keygen('-l', '-f', `${key}.pub`).stdout.split(' ')[1];
  assert.deepEqual(
    closes.map(({ actor, detail }) => [actor, detail.address]),
    [
      [`key:${fingerprint('plain')}`, '127.0.0.1'],
      [`key:${fingerprint('certified')}`, '127.0.0.1'],
    ],
  );

  const summary = await askDropslot<{ users: { created: number } }>(['import', 'acme'], { data });
  assert.equal(summary.users.created, 2);

  const ended = () => readFileSync(log, 'utf8').match(/session ended/g)?.length ?? 0;
  const before = ended();
  const doomed = spawn('ssh', ['-p', String(sshd.port), ...options('plain'), target, '-s', 'sftp']);
  t.after(() => void doomed.kill('SIGKILL'));
  doomed.stdin.on('error', () => {});
  const wire = new Wire(Duplex.from({ readable: doomed.stdout, writable: doomed.stdin }).on('error', () => {}));
  await wire.initialize();
  const handle = await wire.open('/teams.csv', forUpload);
  assert.equal((await wire.write(handle, 0, 'Team Name\nSales\n')).code, 0);
  for (const pid of sshd.sessions().filter(isSshd)) kill(pid);
  assert.notEqual(await endOf(doomed), 0);
  await until(() => ended() > before, 'the end of the session', patienceMs);
  assert.deepEqual(await queue(), []);
});

function isSshd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim().startsWith('sshd');
  } catch {
    return false;
  }
}
