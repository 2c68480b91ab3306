/** Large uploads, which threads of their own seal: the server is killed at each step, and in the middle of one. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import SftpClient from 'ssh2-sftp-client';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { listQueue } from '../../db/control/uploads.js';
import type { IntakeStep } from '../../intake/intake.js';
import { addOrganization, setOrganization } from '../../operations/orgs.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { askDropslot, type Served, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const entry = fileURLToPath(new URL('./server.mjs', import.meta.url));
const steps: IntakeStep[] = ['sealed', 'synced', 'moved', 'committed'];
/** Several blocks of the sealing threads, and a part of one. */
const bytes = 9 * 1024 * 1024 + 5;

test('a large upload is there whole and once when it was acknowledged, wherever the server dies', async (t) => {
  const data = temporaryFolder(t);
  const place = await openWorkplace(settingsSchema.parse({ data }), { create: true });
  t.after(() => place.close());
  const key = newKeyPair();
  await addOrganization(place, 'acme', { ownerEmail: 'jane@acme.test' }, true);
  await setOrganization(place, 'acme', { options: { earlyCheck: false } });
  await allowKey(place.control, 'acme', key);

  const put = async (server: Served, path: string, content: Buffer) => {
    const client = new SftpClient('large', { error() {}, end() {}, close() {} });
    client.on('error', () => {});
    await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
    // ssh2 leaves some calls without an answer when its connection dies.
    await Promise.race([client.put(content, path), server.exited.then(() => Promise.reject(new Error('it died')))]);
    return client;
  };
  const queued = async (path: string) =>
    (await listQueue(place.control.read, 'acme')).filter((upload) => upload.path === path).map(({ sha256 }) => sha256);

  for (const step of steps) {
    const path = `/${step}.csv`;
    const content = randomBytes(bytes);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const victim = await startServe(t, { data, entry, env: { CRASH_STEP: step, CRASH_COUNT: '1' } });
    await assert.rejects(put(victim, path, content), step);
    await victim.exited;
    const server = await startServe(t, { data });
    // Committed and not acknowledged: it may be there, and is, whole.
    assert.deepEqual(await queued(path), step === 'committed' ? [sha256] : [], step);
    const again = await put(server, path, content);
    await server.stop('SIGKILL');
    await again.end().catch(() => {});
    assert.deepEqual(await queued(path), [sha256], step);
  }
  const { wrong, findings } = await askDropslot<{ wrong: number; findings: { level: string }[] }>(
    ['doctor', '--deep'],
    { data },
  );
  assert.deepEqual([wrong, findings.filter(({ level }) => level === 'wrong')], [0, []]);
});
