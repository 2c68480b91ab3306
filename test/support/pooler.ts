/** PgBouncer in transaction mode, in front of a PostgreSQL server. */
import { type ChildProcess, spawn } from 'node:child_process';
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

export interface Pooler {
  /** Of the same database, through the pooler. */
  url: string;
  /** Ends it at once, with all connections through it, and starts it again at the same port. */
  restart(): Promise<void>;
}

/** The URL of the same database through the pooler, which has `connections` of its own to it, for all clients together. */
export async function startPooler(scope: Scope, url: string, connections = 4): Promise<string> {
  return (await openPooler(scope, url, connections)).url;
}

export async function openPooler(scope: Scope, url: string, connections: number): Promise<Pooler> {
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
  let child = await start(file, own);
  const stop = async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  scope.after(stop);
  const pooled = new URL(url);
  pooled.port = `${own}`;
  const restart = async () => {
    await stop();
    child = await start(file, own);
  };
  return { url: pooled.href, restart };
}

async function start(file: string, port: number): Promise<ChildProcess> {
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const child = spawn(program, ['-q', ...user, file], { stdio: 'ignore' });
  for (let tries = 0; !(await isUp(port)); tries++) {
    if (tries === 200 || child.exitCode !== null) throw new Error('PgBouncer does not start');
    await sleep(50);
  }
  return child;
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
