/** The end of a session between real programs: the client's exit status, both closes, and how long it takes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { layPeerTable, missing } from '../support/peers.js';
import { keepingLogger, until } from '../support/session.js';
import { Wire } from '../support/wire.js';

const sessions = 5;

test('a session that ends cleanly ends on both sides with 0', { skip: missing('ssh', 'openssh-client') }, async (t) => {
  const { logger, lines } = keepingLogger();
  const table = await layPeerTable(t, logger);
  const counted = (message: string) => lines.filter((line) => JSON.parse(line).message === message).length;
  const tookMs: number[] = [];
  for (let session = 1; session <= sessions; session++) {
    const args = ['-p', String(table.port), ...table.sshOptions(), `acme@${table.host}`, '-s', 'sftp'];
    const child = spawn('ssh', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => void child.kill('SIGKILL'));
    const wire = new Wire(Duplex.from({ readable: child.stdout, writable: child.stdin }));
    await wire.initialize();
    assert.equal((await wire.put(`/${session}.csv`, 'User Email\n')).code, 0);
    const began = performance.now();
    child.stdin.end();
    const [code] = await once(child, 'close');
    tookMs.push(performance.now() - began);
    assert.equal(code, 0);
    await until(() => counted('logged out') === session, 'the end on the server', 30_000);
  }
  assert.equal((await table.queued()).length, sessions);
  const median = tookMs.sort((one, other) => one - other)[Math.floor(sessions / 2)]!;
  t.diagnostic(`${Math.round(median)} ms from the end of the client's input to its exit (median of ${sessions})`);
});
