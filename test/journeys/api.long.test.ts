/** The HTTP API of the built program: off by default, a token from the command line, an import, a revocation, a killed process. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { askDropslot, type LogLine, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

test('a program imports by the API, until its token is revoked; a killed process starts again', async (t) => {
  const data = temporaryFolder(t);
  const at = { data };
  await runDropslot(['orgs', 'add', 'acme', '--owner', 'owner@acme.test', '--enable'], at);
  const env = { DROPSLOT_API: '127.0.0.1:0' };
  const server = await startServe(t, { data, env });
  const isListening = ({ message }: LogLine) => message === 'the HTTP API listens';
  const first = await server.waitForLog(isListening);
  const add = ['tokens', 'add', '--name', 'test', '--scope', 'operate', '--org', 'acme'];
  const { id, secret } = await askDropslot<{ id: string; secret: string }>(add, at);
  const ask = async (path: string, method = 'GET', on = first) => {
    const headers = { authorization: `Bearer ${secret}` };
    const answer = await fetch(`http://127.0.0.1:${on.port}/api/v1${path}`, { method, headers });
    return { status: answer.status, json: (await answer.json()) as { id: number; state: string } };
  };
  const opened = await ask('/orgs/acme/imports', 'POST');
  assert.equal(opened.status, 202);
  await server.waitForLog(({ message }) => message === 'run done');

  const started = server.log.find(({ message }) => message === 'the process of the HTTP API started')!;
  process.kill(started.pid as number, 'SIGKILL');
  const second = await server.waitForLog((line) => isListening(line) && line !== first);
  assert.equal((await ask('/orgs/acme', 'GET', second)).status, 200);

  await runDropslot(['tokens', 'revoke', id], at);
  assert.equal((await ask('/orgs/acme', 'GET', second)).status, 401);
  assert.equal(await server.stop(), 0);
  assert.ok(!JSON.stringify(server.log).includes(secret));
});

test('ranges of an upload that were acknowledged survive a kill of the server', async (t) => {
  const data = temporaryFolder(t);
  const at = { data };
  await runDropslot(['orgs', 'add', 'acme', '--owner', 'owner@acme.test', '--enable'], at);
  const add = ['tokens', 'add', '--name', 'HR system', '--scope', 'upload', '--org', 'acme'];
  const { id, secret } = await askDropslot<{ id: string; secret: string }>(add, at);
  const start = async () => {
    const server = await startServe(t, { data, env: { DROPSLOT_API: '127.0.0.1:0' } });
    const { port } = await server.waitForLog(({ message }) => message === 'the HTTP API listens');
    const url = `http://127.0.0.1:${port}/api/v1/orgs/acme/drops/users.csv`;
    const ask = (method: string, body?: Buffer, range?: string) =>
      fetch(url, {
        method,
        headers: { authorization: `Bearer ${secret}`, ...(range && { 'content-range': `bytes ${range}` }) },
        ...(body && { body }),
      });
    return { server, ask };
  };
  const rows = Array.from({ length: 60_000 }, (_, n) => `user${n}@acme.test`).join('\n');
  const whole = Buffer.from(`User Email\n${rows}\n`);
  const total = whole.length;
  const offset = 1_048_576 + 1;
  assert.ok(total > offset);
  const first = await start();
  assert.equal((await first.ask('PUT', whole.subarray(0, offset), `0-${offset - 1}/${total}`)).status, 202);
  await first.server.stop('SIGKILL');
  const second = await start();
  assert.equal((await second.ask('HEAD')).headers.get('upload-offset'), String(offset));
  assert.equal((await second.ask('PUT', whole.subarray(offset), `${offset}-${total - 1}/${total}`)).status, 201);
  await second.server.stop('SIGKILL');
  const [queued] = await askDropslot<{ path: string; size: number; sha256: string; client: string }[]>(
    ['queue', 'acme'],
    at,
  );
  const sha256 = createHash('sha256').update(whole).digest('hex');
  assert.deepEqual(
    [queued!.path, queued!.size, queued!.sha256, queued!.client],
    ['/users.csv', total, sha256, `token:${id}`],
  );
});
