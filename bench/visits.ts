/**
 * Visits with one process for connections and with several: connect, log in, put 20 KB, leave. By the clock and by processor time of
 * all processes of the server; both in turn. `npm run build && npx tsx bench/visits.ts [--visits 60] [--workers 1,2]`
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ssh2 from 'ssh2';
import { readServerTime } from './memory.js';
import { visit } from './visit.js';

const { values } = parseArgs({
  options: {
    visits: { type: 'string', default: '60' },
    workers: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '2' },
    parallel: { type: 'string', default: '8' },
    database: { type: 'string', default: 'sqlite' },
  },
});
const program = fileURLToPath(new URL('../dist/app/main.js', import.meta.url));
const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519');
const content = Buffer.alloc(20_000, 'x');

async function measure(workers: string): Promise<{ rate: number; processorMs: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'visits-'));
  const env = { ...process.env, DROPSLOT_DATA: join(folder, 'data'), DROPSLOT_WORKERS: workers };
  Object.assign(env, { DROPSLOT_LOG_FORMAT: 'json' });
  const run = (...args: string[]) => execFileSync(process.execPath, [program, ...args], { env, stdio: 'pipe' });
  writeFileSync(join(folder, 'id.pub'), `${publicKey}\n`);
  run('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  run('keys', 'add', 'acme', join(folder, 'id.pub'));
  const server = spawn(process.execPath, [program, 'serve', '--role', 'intake', '--port', '0', '--host', '127.0.0.1'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let port = 0;
  for await (const line of createInterface({ input: server.stderr! })) {
    const { message, port: found } = JSON.parse(line) as { message: string; port?: number };
    if (message !== 'listening') continue;
    port = found!;
    break;
  }
  server.stderr!.resume();
  try {
    const put = (path: string) => visit({ port, username: 'acme', privateKey }, path, content);
    for (let number = 0; number < 4; number++) await put(`/warm-${number}.csv`);
    const before = readServerTime(server.pid!);
    const began = performance.now();
    let next = 0;
    const total = Number(values.visits);
    const client = async () => {
      while (next < total) await put(`/file-${next++}.csv`);
    };
    await Promise.all(Array.from({ length: Number(values.parallel) }, client));
    const seconds = (performance.now() - began) / 1000;
    return { rate: total / seconds, processorMs: ((readServerTime(server.pid!) - before) / total) * 1000 };
  } finally {
    server.kill();
    await once(server, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

for (let round = 0; round < Number(values.rounds); round++)
  for (const workers of values.workers.split(',')) {
    const { rate, processorMs } = await measure(workers);
    console.log(
      `workers ${workers}: ${rate.toFixed(1)} visits a second, ${processorMs.toFixed(1)} ms of processor time each`,
    );
  }
