/** The server is killed during uploads over HTTP: the ranges that it acknowledged are there afterwards, and the file is queued once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { listQueue } from '../../db/control/uploads.js';
import { addOrganization } from '../../operations/orgs.js';
import { addToken } from '../../operations/tokens.js';
import { openFresh } from '../support/databases.js';
import { moduleArguments } from '../support/program.js';
import { workplaceOn } from '../support/workplace.js';

const mebibyte = 1024 * 1024;

interface Served {
  url: string;
  /** Once it is dead. */
  dead: Promise<unknown>;
  kill(): Promise<unknown>;
}

async function serve(t: TestContext, data: string, ...how: string[]): Promise<Served> {
  const child = spawn(process.execPath, [...moduleArguments('./drops.child', import.meta.url), data, ...how], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const dead = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await Promise.race([once(child.stdout, 'data'), dead])) as [Buffer];
  const kill = () => {
    child.kill('SIGKILL');
    return dead;
  };
  return { url: `http://127.0.0.1:${Number(String(line))}/api/v1/orgs/acme/drops/users.csv`, dead, kill };
}

test('acknowledged ranges survive kills within a range, before its answer, and before the answer to the last one', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, settings);
  await addOrganization(place, 'acme', { ownerEmail: 'owner@acme.test', plan: 'enterprise' }, true);
  const { secret } = await addToken(place, { name: 'test', scope: 'upload', org: 'acme' });
  const headers = { authorization: `Bearer ${secret}` };
  const whole = randomBytes(3 * mebibyte + 1_000);
  const digest = `sha-256=:${createHash('sha256').update(whole).digest('base64')}:`;
  const offsetAt = async ({ url }: Served) => {
    const { headers: told, status } = await fetch(url, { method: 'HEAD', headers });
    if (status === 404) return { offset: 0, isComplete: false };
    return { offset: Number(told.get('upload-offset')), isComplete: told.get('upload-complete') === '?1' };
  };
  /** The status; null: the server died before its answer. */
  const put = async ({ url }: Served, from: number, end: number): Promise<number | null> => {
    const range = { 'content-range': `bytes ${from}-${end - 1}/${whole.length}`, 'repr-digest': digest };
    const body = whole.subarray(from, end);
    return fetch(url, { method: 'PUT', headers: { ...headers, ...range }, body }).then(
      ({ status }) => status,
      () => null,
    );
  };

  // In the middle of the second range, after the first one was acknowledged.
  let server = await serve(t, settings.data, 'bytes', String(mebibyte + 600_000));
  assert.equal(await put(server, 0, mebibyte), 202);
  assert.equal(await put(server, mebibyte, 2 * mebibyte), null);
  await server.dead;
  server = await serve(t, settings.data, 'answer');
  const middle = await offsetAt(server);
  assert.ok(middle.offset >= mebibyte && middle.offset < 2 * mebibyte, `${middle.offset} bytes`);
  // With the answer to a range not sent yet.
  assert.equal(await put(server, middle.offset, middle.offset + mebibyte), null);
  await server.dead;
  server = await serve(t, settings.data);
  assert.deepEqual(await offsetAt(server), { offset: middle.offset + mebibyte, isComplete: false });
  // Between two ranges.
  await server.kill();
  server = await serve(t, settings.data, 'answer');
  assert.deepEqual(await offsetAt(server), { offset: middle.offset + mebibyte, isComplete: false });
  assert.deepEqual(await listQueue(place.control.read, 'acme'), []);
  // With the answer to the last range not sent yet: the file is complete.
  assert.equal(await put(server, middle.offset + mebibyte, whole.length), null);
  await server.dead;
  server = await serve(t, settings.data);
  assert.deepEqual(await offsetAt(server), { offset: whole.length, isComplete: true });
  const queue = await listQueue(place.control.read, 'acme');
  assert.deepEqual(
    queue.map(({ path, sha256 }) => [path, sha256]),
    [['/users.csv', createHash('sha256').update(whole).digest('hex')]],
  );
  await server.kill();
});
