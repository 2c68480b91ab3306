/** The certificate of the PostgreSQL server has expired, or is another one: no connection is made, the reason is named, and the right one ends it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { openControl } from '../../db/connection.js';
import { describeDatabaseFailure } from '../../db/error.js';
import { classifyFailure } from '../../importer/run/failureclass.js';
import { faketime, lacksFaketime } from '../nodes/node.js';
import { lacksCluster, startCluster } from '../support/cluster.js';
import { connected } from '../support/template.js';
import { temporaryFolder } from '../support/temporary.js';

function makeCertificate(folder: string, name: string, env: Record<string, string> = {}): void {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', ...subject, ...files];
  execFileSync('openssl', args, { stdio: 'pipe', env: { ...process.env, ...env } });
}

test('the certificate of the server', { skip: lacksCluster || lacksFaketime }, async (t) => {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  makeCertificate(folder, 'right');
  makeCertificate(folder, 'other');
  makeCertificate(folder, 'expired', { LD_PRELOAD: faketime, FAKETIME: '@2020-01-01 00:00:00' });
  const used = join(folder, 'used');
  mkdirSync(used);
  const use = (name: string) => {
    for (const end of ['crt', 'key']) {
      const file = join(used, `server.${end}`);
      copyFileSync(join(folder, `${name}.${end}`), file);
      chmodSync(file, 0o600);
      if (process.getuid?.() === 0)
        chownSync(file, Number(execFileSync('id', ['-u', 'postgres'])), Number(execFileSync('id', ['-g', 'postgres'])));
    }
  };
  use('right');
  const files = ['crt', 'key'].map(
    (end) => `ssl_${end === 'crt' ? 'cert' : 'key'}_file=${join(used, `server.${end}`)}`,
  );
  const cluster = await startCluster(t, ['ssl=on', ...files]);
  const reload = () => connected(cluster.url, (client) => client.query('SELECT pg_reload_conf()'));
  const urlWith = (root: string) => `${cluster.url}?sslmode=verify-full&sslrootcert=${join(folder, `${root}.crt`)}`;
  const open = (root: string) =>
    openControl(settingsSchema.parse({ data: temporaryFolder(t), database: urlWith(root), databasePool: 2 }));
  const control = await open('right');
  t.after(() => control.close());
  const { rows } = await control.read.raw('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  assert.equal(rows[0].ssl, true);
  const leave = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dropslot'";
  const connectsWith = async (name: string, isOk: boolean) => {
    use(name);
    await reload();
    // A server that has just been told may still show the certificate from before.
    for (const end = performance.now() + 60_000; performance.now() < end; ) {
      await connected(cluster.url, (client) => client.query(leave));
      const failure = await control.read('orgs').then(
        () => null,
        (error: Error) => error,
      );
      if (failure === null ? isOk : !isOk && /certificate/.test(String(failure))) return failure;
    }
    throw new assert.AssertionError({ message: `with ${name}: never as expected` });
  };
  for (const [name, says] of [
    ['other', /^the database failed: self-signed certificate/],
    ['expired', /^the database failed: .*(certificate has expired|self-signed certificate)/],
  ] as const) {
    const failure = await connectsWith(name, false);
    assert.match(describeDatabaseFailure(failure) ?? String(failure), says);
    assert.equal(classifyFailure(failure), 'machine');
    if (name === 'expired')
      await assert.rejects(open('expired'), /can't be opened: certificate has expired/, 'one that is known');
    assert.equal(await connectsWith('right', true), null);
  }
});
