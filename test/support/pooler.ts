/** PgBouncer in transaction mode, in front of a PostgreSQL server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './tcpproxy.js';
import { type Scope, temporaryFolder } from './temporary.js';

const program = '/usr/sbin/pgbouncer';

/** Why a test is skipped; false: it is there. */
export const lacksPooler = existsSync(program) ? false : 'needs PgBouncer (Debian package: pgbouncer)';

/** The URL of the same database through the pooler, which has `connections` of its own to it, for all clients together. */
export async function startPooler(scope: Scope, url: string, connections = 4): Promise<string> {
  const { hostname, port, username, password } = new URL(url);
  const own = await freePort();
  const file = join(temporaryFolder(scope), 'pgbouncer.ini');
  const secret = password === '' ? '' : ` password='${decodeURIComponent(password)}'`;
  const target = `host=${hostname} port=${port} user=${username}${secret}`;
  const settings = [
    ...['listen_addr = 127.0.0.1', `listen_port = ${own}`, 'unix_socket_dir =', 'auth_type = any'],
    ...['pool_mode = transaction', `default_pool_size = ${connections}`, 'max_client_conn = 500'],
  ];
  writeFileSync(file, `[databases]\n* = ${target}\n[pgbouncer]\n${settings.join('\n')}\n`);
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const child = spawn(program, ['-q', ...user, file], { stdio: 'ignore' });
  scope.after(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  for (let tries = 0; !(await isUp(own)); tries++) {
    if (tries === 200 || child.exitCode !== null) throw new Error('PgBouncer does not start');
    await sleep(50);
  }
  const pooled = new URL(url);
  pooled.port = `${own}`;
  return pooled.href;
}

async function isUp(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const up = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return up;
}
