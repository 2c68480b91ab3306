// Writes the fixture of a release for test/formats: a small data folder, made by driving that release's built program as
// its users do, and the same answers in JSON. Run it once, when the release is made:
//
//   node scripts/fixture.mjs PROGRAM VERSION            test/formats/VERSION/data.tar.gz and expected.json
//   node scripts/fixture.mjs PROGRAM VERSION DATABASE   the same on an empty PostgreSQL database: postgres.tar.gz, which
//                                                       has the folder and a dump, and postgres.json (needs pg_dump)
//
// PROGRAM is the release's main file (dist/app/main.js). The master key is part of the fixture: it protects nothing else.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import ssh2 from 'ssh2';
import SftpClient from 'ssh2-sftp-client';

const [program, version, database] = process.argv.slice(2);
if (version === undefined) {
  console.error('usage: node scripts/fixture.mjs PROGRAM VERSION [DATABASE]');
  process.exit(2);
}

const teams = `Team Name,Owner Email,Parent Team,Team Type
Sales,ann@acme.test,,Department
Sales EMEA,bo@acme.test,Sales,Region
`;
const users = `User Email,User Name,First Name,Last Name,Manager Email,Teams,Is Org Admin,Cost Center
ann@acme.test,Ann,Ann,Åström,,Sales,Yes,0042
bo@acme.test,Bo,Bo,O'Neill,ann@acme.test,"Sales, Sales EMEA",No,0043
cy@acme.test,Cy,Cy,Ng,bo@acme.test,Sales EMEA,No,0043
dee@acme.test,Dee,Dee,Doe,bo@acme.test,,No,
not-an-address,Eve,Eve,E,,,No,
`;
const changedUsers = `User Email,User Name,Manager Email,Deactivation Date
cy@acme.test,Cyrus,ann@acme.test,
dee@acme.test,,,2026-01-31
`;
const queuedUsers = `User Email,User Name,Cost Center
bo@acme.test,Bob,0044
flo@acme.test,Flo,0045
`;

const temporary = mkdtempSync(join(tmpdir(), 'dropslot-fixture-'));
const data = join(temporary, 'data');
const target = fileURLToPath(new URL(`../test/formats/${version}/`, import.meta.url));
mkdirSync(target, { recursive: true });
try {
  await fill();
  const expected = record();
  const name = database === undefined ? 'data' : 'postgres';
  if (database !== undefined) dump(join(data, 'dump.sql'));
  execFileSync('tar', ['-C', data, '--owner=0', '--group=0', '--sort=name', '-czf', `${target}${name}.tar.gz`, '.']);
  const file = database === undefined ? 'expected.json' : 'postgres.json';
  writeFileSync(`${target}${file}`, `${JSON.stringify(expected, null, 2)}\n`);
  console.log(`wrote ${readdirSync(target).join(', ')} in ${target}`);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

/** Two organizations; one imports twice, and leaves a third file in the queue. */
async function fill() {
  mkdirSync(data, { mode: 0o700 });
  const key = ssh2.utils.generateKeyPairSync('ed25519');
  const publicKey = join(temporary, 'acme.pub');
  writeFileSync(publicKey, `${key.public}\n`);
  dropslot('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--name', 'Acme Corp', '--time-zone', 'UTC', '--enable');
  dropslot('orgs', 'add', 'globex', '--owner', 'hank@globex.test');
  dropslot('keys', 'add', 'acme', publicKey, '--label', 'payroll');
  const server = await serve();
  await send(server.port, key.private, { '/teams.csv': teams, '/users.csv': users });
  dropslot('import', 'acme');
  await send(server.port, key.private, { '/users.csv': changedUsers });
  dropslot('import', 'acme');
  await send(server.port, key.private, { '/users.csv': queuedUsers });
  await server.stop();
}

/** The answers that a later release must give as well. */
function record() {
  const files = ask('files', 'list', 'acme');
  return {
    version,
    orgs: ask('orgs', 'list'),
    keys: ask('keys', 'list', 'acme'),
    queue: ask('queue', 'acme'),
    runs: ask('runs', 'list', 'acme'),
    files,
    fields: ask('fields', 'list', 'acme'),
    users: dropslot('users', 'export', 'acme'),
    teams: dropslot('teams', 'export', 'acme'),
    queued: dropslot('files', 'cat', 'acme', '/users.csv'),
  };
}

function ask(...args) {
  return JSON.parse(dropslot(...args, '--json'));
}

function dropslot(...args) {
  return execFileSync(process.execPath, [program, ...args], { env: environment(), encoding: 'utf8' });
}

function environment() {
  const env = { ...process.env, TZ: 'UTC', DROPSLOT_DATA: data, DROPSLOT_LOG_FORMAT: 'json' };
  return database === undefined ? env : { ...env, DROPSLOT_DATABASE: database };
}

async function serve() {
  const args = [program, 'serve', '--port', '0', '--host', '127.0.0.1'];
  const child = spawn(process.execPath, args, { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
  const port = await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: child.stderr }).on('line', (text) => {
      const line = JSON.parse(text);
      if (line.message === 'listening') resolve(line.port);
    });
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  return { port, stop };
}

async function send(port, privateKey, files) {
  const client = new SftpClient();
  await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey });
  for (const [path, content] of Object.entries(files)) await client.put(Buffer.from(content), path);
  await client.end();
}

/** As statements that any client runs: psql's own commands are left out. */
function dump(file) {
  const sql = execFileSync('pg_dump', ['--inserts', '--no-owner', '--no-acl', '-n', 'dropslot_*', database], {
    encoding: 'utf8',
  });
  writeFileSync(file, sql.replace(/^\\.*\n/gm, ''));
}
