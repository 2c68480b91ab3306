/** JSch, the library of most Java programs: a small program that does the steps it reads. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missing } from '../../support/peers.js';
import { succeed } from '../cases.js';
import { type Client, packageVersion, type Running } from '../client.js';
import type { Seat } from '../seat.js';
import { linesOf } from './python.js';

const jar = '/usr/share/java/jsch.jar';
const source = fileURLToPath(new URL('Steps.java', import.meta.url));

/** JSch 0.1.x reads keys in PEM only, not in OpenSSH's format. */
function pemOf({ keyFile }: Seat): string {
  const pem = `${keyFile}.pem`;
  if (!existsSync(pem)) {
    copyFileSync(keyFile, pem);
    execFileSync('chmod', ['600', pem]);
    execFileSync('ssh-keygen', ['-q', '-p', '-m', 'PEM', '-N', '', '-f', pem], { stdio: 'ignore' });
  }
  return pem;
}

function start(seat: Seat, lines: readonly string[][]): Running {
  const { folder, host, port, org } = seat;
  if (!existsSync(join(folder, 'Steps.class')))
    execFileSync('javac', ['-encoding', 'UTF-8', '-cp', jar, '-d', folder, source]);
  // Java takes the encoding of file names from the locale, and knows C.UTF-8 from version 18 on only.
  const java = ['-Dsun.jnu.encoding=UTF-8', '-Dfile.encoding=UTF-8', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  const args = [...java, '-cp', `${jar}:${folder}`, 'Steps', host, String(port), org, pemOf(seat)];
  return seat.launch('java', args, lines.map((words) => `${words.join('\t')}\n`).join(''));
}

export const client: Client = {
  name: 'JSch',
  missing:
    missing('javac', 'default-jdk-headless') ||
    missing('ssh-keygen', 'openssh-client') ||
    (existsSync(jar) ? false : 'JSch is NOT INSTALLED: apt-get install libjsch-java'),
  version: () => packageVersion('libjsch-java'),
  key: 'ecdsa',
  keys: ['ecdsa'],
  unable: {},
  start: (seat, steps) => start(seat, linesOf(steps)),
  specials: {
    "it checks the server's ECDSA host key, since it does not support Ed25519": async (seat) => {
      const { stdout } = succeed(await start(seat, [['list', '/']]).ended);
      assert.match(stdout, /host key ecdsa-sha2-nistp256/);
    },
    '`put` in the mode APPEND': async (seat) => {
      const content = randomBytes(100_000);
      const first = seat.file('first.csv', content.subarray(0, 65_536));
      const rest = seat.file('rest.csv', content.subarray(65_536));
      succeed(
        await start(seat, [
          ['put', first, '/appended.csv'],
          ['append', rest, '/appended.csv'],
        ]).ended,
      );
      await seat.expectQueued('/appended.csv', content);
    },
    'its RSA keys sign with SHA-1 only: the server refuses them, and the log names key and client': async (seat) => {
      const { code, stderr } = await start(seat.move({ key: 'rsa' }), [['list', '/']]).ended;
      assert.notEqual(code, 0);
      assert.match(stderr, /Auth fail/);
      const told = JSON.stringify(seat.log().filter((line) => JSON.stringify(line).includes('SHA-1')));
      assert.match(told, /JSCH[^}]*SHA256:|SHA256:[^}]*JSCH/, told);
    },
    'on a `compatible` port, an RSA key logs in with SHA-1 if the operator allowed it (SAP SuccessFactors needs this)':
      async (seat) => {
        const rsa = seat.move({ key: 'rsa', port: seat.compatiblePort });
        const from = seat.file('sha1.csv', 'User Email\n');
        assert.notEqual((await start(rsa, [['put', from, '/sha1.csv']]).ended).code, 0);
        await rsa.allowSha1();
        succeed(await start(rsa, [['put', from, '/sha1.csv']]).ended);
        await seat.expectQueued('/sha1.csv', Buffer.from('User Email\n'));
        assert.notEqual((await start(rsa.move({ port: seat.port }), [['list', '/']]).ended).code, 0);
      },
  },
};
