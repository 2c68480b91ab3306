/** A ProFTPD with mod_sftp of the test's own, on a free port of the loopback, that the current user may log in to. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { answers, freePort } from './sshd.js';
import type { Scope } from './temporary.js';

const program = '/usr/sbin/proftpd';
const modules = '/usr/lib/proftpd';

/** For a test's `skip`: false when there is one, else what to install. */
export function missingProftpd(): string | false {
  if (!existsSync(program) || !existsSync(join(modules, 'mod_sftp.so')))
    return 'ProFTPD is NOT INSTALLED: apt-get install proftpd-core proftpd-mod-crypto';
  return process.getuid?.() === 0 ? false : 'ProFTPD NOT TESTED: it needs root';
}

/** `key`: a line of authorized_keys. */
export async function startProftpd(scope: Scope, folder: string, key: string): Promise<{ port: number; user: string }> {
  const { username: user, uid, gid } = userInfo();
  const at = (name: string) => join(folder, name);
  run('ssh-keygen', ['-q', '-t', 'rsa', '-b', '3072', '-m', 'PEM', '-N', '', '-f', at('proftpd_host')]);
  writeFileSync(at('login.pub'), `${key}\n`);
  writeFileSync(at('authorized'), run('ssh-keygen', ['-e', '-f', at('login.pub')]), { mode: 0o600 });
  writeFileSync(at('passwd'), `${user}:x:${uid}:${gid}::${folder}:/bin/sh\n`, { mode: 0o600 });
  const port = await freePort();
  const lines = [
    ...[`ModulePath ${modules}`, 'LoadModule mod_sftp.c', 'ServerType standalone', 'DefaultAddress 127.0.0.1'],
    ...[`Port ${port}`, `User ${user}`, `Group root`, 'RootLogin on', 'RequireValidShell off', 'UseFtpUsers off'],
    ...[`PidFile ${at('pid')}`, `ScoreboardFile ${at('scoreboard')}`, `SystemLog ${at('log')}`, 'WtmpLog off'],
    ...[`AuthUserFile ${at('passwd')}`, 'AuthOrder mod_auth_file.c', 'SFTPEngine on', `SFTPLog ${at('sftp.log')}`],
    ...[`SFTPHostKey ${at('proftpd_host')}`, 'SFTPAuthMethods publickey'],
    ...[`SFTPAuthorizedUserKeys file:${at('authorized')}`, 'AllowOverwrite on', 'UseReverseDNS off'],
  ];
  writeFileSync(at('proftpd.conf'), `${lines.join('\n')}\n`);
  const child = spawn(program, ['--nodaemon', '--config', at('proftpd.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const exited = once(child, 'exit');
  scope.after(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  while (!(await answers(port))) if (child.exitCode !== null) throw new Error(`proftpd ended: ${log}`);
  return { port, user };
}

function run(command: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
}
