// `node scripts/smoke.mjs FOLDER`: drives the built program of a folder (dist/ and node_modules/) on the Node that runs
// this script. Adds an organization and a key, uploads with an SFTP client, imports, lists the users, stops the server.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const startWithinMs = 30_000;
const commandWithinMs = 60_000;
const emails = ['jane@acme.test', 'li@acme.test'];

const folder = resolve(process.argv[2] ?? '.');
const program = join(folder, 'dist', 'app', 'main.js');
const require = createRequire(join(folder, 'package.json'));
const work = mkdtempSync(join(tmpdir(), 'dropslot-smoke-'));
const data = join(work, 'data');
let server;
try {
  const key = makeKey();
  dropslot('orgs', 'add', 'acme', '--owner', emails[0], '--enable');
  dropslot('keys', 'add', 'acme', key.file);
  server = spawn(process.execPath, [program, '--data', data, 'serve', '--host', '127.0.0.1', '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, DROPSLOT_LOG_FORMAT: 'json' },
  });
  await upload(await listeningPort(server), key.private, '/users.csv', `User Email\n${emails.join('\n')}\n`);
  dropslot('import', 'acme');
  const listed = JSON.parse(dropslot('users', 'list', 'acme', '--json')).map(({ email }) => email);
  for (const email of emails)
    if (!listed.includes(email)) throw new Error(`users list has no ${email}; it has ${listed.join(', ')}`);
  server.kill('SIGTERM');
  const [code] = await once(server, 'exit');
  if (code !== 0) throw new Error(`the server ended with exit code ${code} after SIGTERM`);
  console.log(`smoke test passed on Node ${process.version}`);
} finally {
  server?.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
}

function dropslot(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--data', data, ...args], {
    encoding: 'utf8',
    timeout: commandWithinMs,
  });
  if (status !== 0) throw new Error(`dropslot ${args.join(' ')} ended with exit code ${status}: ${stderr}`);
  return stdout;
}

function makeKey() {
  const pair = require('ssh2').utils.generateKeyPairSync('ed25519');
  const file = join(work, 'login_key.pub');
  writeFileSync(file, `${pair.public}\n`);
  return { private: pair.private, file };
}

async function upload(port, privateKey, remote, text) {
  const SftpClient = require('ssh2-sftp-client');
  const client = new SftpClient();
  await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey });
  await client.put(Buffer.from(text), remote);
  await client.end();
}

/** @throws Error when the server ends, or does not listen in time; the message has its log. */
function listeningPort(child) {
  const log = [];
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`the server ${why}:\n${log.join('\n')}`));
    const timer = setTimeout(fail, startWithinMs, `did not listen within ${startWithinMs / 1000} s`);
    child.once('exit', (code) => fail(`ended with exit code ${code}`));
    createInterface({ input: child.stderr }).on('line', (text) => {
      log.push(text);
      const port = /"message":"listening"/.test(text) ? /"port":(\d+)/.exec(text)?.[1] : undefined;
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(Number(port));
    });
  });
}
