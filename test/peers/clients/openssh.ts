/** OpenSSH's sftp in its batch mode, and scp. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { missingModern, modernClient } from '../../support/modern.js';
import { missing, type Ran } from '../../support/peers.js';
import { succeed } from '../cases.js';
import { type Client, quote, type Running, type Step, startInTurn, versionOf } from '../client.js';
import type { Seat } from '../seat.js';

/** Options that make OpenSSH's programs ask nobody, and take nothing from this machine's settings. */
export function sshOptions({ keyFile }: Seat): string[] {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  ];
  return ['-F', 'none', '-i', keyFile, ...options.flatMap((option) => ['-o', option])];
}

const versionFrom = (ssh: string) => () => versionOf(ssh, ['-V'], /OpenSSH_(\S+?),? /);

/** Runs `sftp -b` with these commands. */
function startSftp(
  seat: Seat,
  commands: readonly string[],
  options: readonly string[] = [],
  program = 'sftp',
): Running {
  const args = ['-b', '-', '-P', String(seat.port), ...sshOptions(seat), ...options, `${seat.org}@${seat.host}`];
  return seat.launch(program, args, `${commands.join('\n')}\n`);
}

function say(step: Step): string {
  if (step.do === 'list') return `ls -1 ${quote(step.folder)}`;
  const names = `${quote(step.from)} ${quote(step.to)}`;
  if (step.do === 'put') return `put -p ${names}`;
  if (step.do === 'resume') return `put -a ${names}`;
  if (step.do === 'putTree') return `put -pR ${names}`;
  return `${step.do} ${names}`;
}

const files = { small: randomBytes(30_000), large: randomBytes(12 * 1024 * 1024) };

export const sftp: Client = {
  name: 'OpenSSH sftp',
  missing: missing('sftp', 'openssh-client'),
  version: versionFrom('ssh'),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: {},
  start: (seat, steps) => startSftp(seat, steps.map(say)),
  specials: {
    'a batch file ends at the first command that fails, unless that command begins with `-`': async (seat) => {
      seat.file('a.csv', files.small);
      const stopped = await startSftp(seat, ['get nothing.csv', 'put a.csv batch.csv']).ended;
      assert.equal(stopped.code, 1);
      succeed(await startSftp(seat, ['-get nothing.csv', 'put a.csv batch.csv']).ended);
      await seat.expectQueued('/batch.csv', files.small);
    },
    '`reput` resumes an upload, as `put -a` does': async (seat) => {
      seat.file('a.csv', files.large);
      seat.file('half.csv', files.large.subarray(0, files.large.length / 2));
      succeed(await startSftp(seat, ['put half.csv reput.csv', 'reput a.csv reput.csv']).ended);
      await seat.expectQueued('/reput.csv', files.large);
    },
    '`put -f` asks the server to sync the file; `get -p` keeps the modification time': async (seat) => {
      seat.file('a.csv', files.small);
      succeed(await startSftp(seat, ['put -fp a.csv synced.csv', 'get -p synced.csv back.csv']).ended);
      await seat.expectQueued('/synced.csv', files.small);
      assert.deepEqual(seat.fetched('back.csv'), files.small);
    },
    'it asks for `limits@openssh.com`, and reads and writes blocks of that size': async (seat) => {
      seat.file('large.csv', files.large);
      const options = ['-vvv', '-o', 'LogLevel=DEBUG3', ...sshOptions(seat)];
      const args = ['-b', '-', '-P', String(seat.port), ...options, `${seat.org}@${seat.host}`];
      const { stderr } = succeed(await seat.launch('sftp', args, 'put large.csv limits.csv\n').ended);
      assert.match(stderr, /limits@openssh\.com/);
      assert.match(stderr, /write\D* 261120|261120/);
      await seat.expectQueued('/limits.csv', files.large);
    },
    '`get -R` downloads a folder with its content': async (seat) => {
      for (const name of ['a.csv', 'in/b c.CSV', 'in/ü.csv']) seat.file(`tree/${name}`, `content of ${name}`);
      succeed(await startSftp(seat, ['put -R tree', 'get -R tree back']).ended);
      for (const name of ['a.csv', 'in/b c.CSV', 'in/ü.csv'])
        assert.equal(seat.fetched(`back/${name}`).toString(), `content of ${name}`);
    },
    'creates, renames and removes folders; removes files': async (seat) => {
      seat.file('a.csv', files.small);
      const made = ['mkdir old', 'put a.csv old/a.csv', 'rename old older', 'ls -l older', 'chmod 600 older/a.csv'];
      const { stdout } = succeed(await startSftp(seat, made).ended);
      assert.match(stdout, /-rw-r--r--\s+\S \S+\s+\S+\s+30000 \w{3} [ \d]\d \d\d:\d\d (older\/)?a\.csv/);
      await seat.expectQueued('/older/a.csv', files.small);
      succeed(await startSftp(seat, ['rm older/a.csv', 'rmdir older']).ended);
      assert.ok(!(await seat.queued()).some(({ path }) => path.startsWith('/old')));
    },
    ...rekeying(),
    'six sessions at once over one connection': async (seat) => {
      // Shares one connection as ControlMaster does: each sftp is a channel of its own.
      const socket = join(seat.folder, '.ssh/shared');
      const master = seat.launch('ssh', [
        ...sshOptions(seat),
        ...['-M', '-S', socket, '-N', '-p', String(seat.port), '-l', seat.org, seat.host],
      ]);
      try {
        const shared = ['-o', `ControlPath=${socket}`, '-o', 'ControlMaster=auto'];
        seat.file('a.csv', files.small);
        const all = Array.from({ length: 6 }, (_, n) => startSftp(seat, [`put a.csv shared${n}.csv`], shared).ended);
        for (const ran of await Promise.all(all)) succeed(ran);
        for (const n of all.keys()) await seat.expectQueued(`/shared${n}.csv`, files.small);
      } finally {
        master.kill();
      }
    },
    'RSA keys sign with SHA-256 and SHA-512, both of which the server offers': async (seat) => {
      for (const algorithm of ['rsa-sha2-512', 'rsa-sha2-256']) {
        const rsa = seat.move({ key: 'rsa' });
        // The first value of an option counts.
        const options = ['-o', 'LogLevel=DEBUG1', '-o', `PubkeyAcceptedAlgorithms=${algorithm}`, ...sshOptions(rsa)];
        const args = ['-b', '-', '-P', String(seat.port), ...options, `${seat.org}@${seat.host}`];
        const { stderr } = succeed(await seat.launch('sftp', args, 'pwd\n').ended);
        assert.match(stderr, /server-sig-algs=<[^>]*\bssh-ed25519,[^>]*,rsa-sha2-512,rsa-sha2-256/);
      }
    },
    'with an RSA key and SHA-1 only, client and server find no common signature algorithm': async (seat) => {
      const options = ['-o', 'PubkeyAcceptedAlgorithms=ssh-rsa'];
      const { code, stderr } = await startSftp(seat.move({ key: 'rsa' }), ['pwd'], options).ended;
      assert.notEqual(code, 0);
      assert.match(stderr, /Permission denied \(publickey\)/);
    },
    '`ssh` gets no shell and runs no command': async (seat) => {
      const args = ['-p', String(seat.port), ...sshOptions(seat), '-l', seat.org, seat.host];
      for (const command of [[], ['id']])
        assert.notEqual((await seat.launch('ssh', [...args, ...command]).ended).code, 0);
    },
  },
};

export const modernSftp: Client = {
  ...sftp,
  name: 'OpenSSH sftp of Debian 13',
  missing: missingModern('stable'),
  version: versionFrom(modernClient('stable', 'ssh')),
  start: (seat, steps) => startSftp(seat, steps.map(say), [], modernClient('stable', 'sftp')),
  specials: {},
};

function rekeying(): Client['specials'] {
  const ciphers = ['aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr'];
  const row = (cipher: string) => async (seat: Seat) => {
    seat.file('large.csv', files.large);
    const options = ['-c', cipher, '-o', 'RekeyLimit=1M'];
    succeed(await startSftp(seat, ['put large.csv rekeyed.csv', 'get rekeyed.csv back.csv'], options).ended);
    await seat.expectQueued('/rekeyed.csv', files.large);
    assert.deepEqual(seat.fetched('back.csv'), files.large);
  };
  return Object.fromEntries(
    ciphers.map((cipher) => [`re-keying after each megabyte, in both directions, with ${cipher}`, row(cipher)]),
  );
}

function startScp(seat: Seat, args: readonly string[]): Promise<Ran> {
  return seat.launch('scp', ['-P', String(seat.port), ...sshOptions(seat), ...args]).ended;
}

export const scp: Client = {
  name: 'OpenSSH scp',
  missing: missing('scp', 'openssh-client'),
  version: versionFrom('ssh'),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: {
    resume: 'scp always sends the whole file',
    rename: 'scp can only copy files',
    list: 'scp can only copy files',
  },
  start: (seat, steps) =>
    startInTurn(seat, steps, (step) => {
      if (step.do === 'list' || step.do === 'rename' || step.do === 'resume') throw new Error(`scp cannot ${step.do}`);
      const there = (path: string) => `${seat.org}@${seat.host}:${path}`;
      const names = step.do === 'get' ? [there(step.from), step.to] : [step.from, there(step.to)];
      const recursive = step.do === 'putTree' ? ['-r'] : [];
      return ['scp', ['-s', '-p', '-P', String(seat.port), ...sshOptions(seat), ...recursive, ...names]];
    }),
  specials: {
    'uploads and downloads a folder with its content': async (seat) => {
      for (const name of ['a.csv', 'in/b c.CSV']) seat.file(`tree/${name}`, `content of ${name}`);
      const there = `${seat.org}@${seat.host}:`;
      succeed(await startScp(seat, ['-s', '-r', 'tree', there]));
      succeed(await startScp(seat, ['-s', '-r', `${there}tree`, 'back']));
      for (const name of ['a.csv', 'in/b c.CSV'])
        assert.equal(seat.fetched(`back/${name}`).toString(), `content of ${name}`);
    },
    'the old protocol (`scp -O`, and scp before 9.0) needs a shell, and is refused': async (seat) => {
      seat.file('a.csv', files.small);
      const { code } = await startScp(seat, ['-O', 'a.csv', `${seat.org}@${seat.host}:old.csv`]);
      assert.notEqual(code, 0);
      assert.ok(!(await seat.names('/')).includes('old.csv'));
    },
  },
};
