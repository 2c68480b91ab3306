/** The master key as the output of a program: read without a shell, within limits, and never quoted. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { describeSource, programOf } from '../../../config/secretsource.js';
import { settingsSchema } from '../../../config/settings.js';
import { generateMaster, loadMaster, loadOrCreateMaster, replaceMaster } from '../../../keys/master/master.js';
import { readProgram } from '../../../keys/master/program.js';
import { createMasterSecrets } from '../../../keys/master/secrets.js';
import { until } from '../../support/session.js';
import { temporaryFolder } from '../../support/temporary.js';

function writeProgram(t: TestContext, script: string): string {
  const file = join(temporaryFolder(t), 'print-key');
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

test('the words of a program: blanks separate them, quotes join them, and no shell reads them', () => {
  for (const [source, words] of [
    ['exec:/usr/bin/kms unwrap', ['/usr/bin/kms', 'unwrap']],
    ['exec:  /usr/bin/kms   "a b"  $HOME;ls ', ['/usr/bin/kms', 'a b', '$HOME;ls']],
    ['exec:/usr/bin/kms ""', ['/usr/bin/kms', '']],
    ['exec:kms', null],
    ['exec:/usr/bin/kms "a', null],
    ['exec:/usr/bin/kms a"b"', null],
    ['exec:', null],
    ['/etc/key', null],
  ] as const)
    assert.deepEqual(programOf(source), words, source);
  assert.equal(describeSource('exec:/usr/bin/kms --pin 1234'), 'exec:/usr/bin/kms …');
  assert.equal(settingsSchema.parse({ masterKey: 'exec:/usr/bin/kms' }).masterKey, 'exec:/usr/bin/kms');
  assert.equal(settingsSchema.safeParse({ masterKey: 'exec:kms' }).success, false);
  assert.equal(settingsSchema.safeParse({ smtpPassword: 'exec:/usr/bin/kms' }).success, false);
});

test('its output is the master key, read once and given to other processes; commands cannot change it', async (t) => {
  const { identity, recipient } = await generateMaster('x25519');
  const program = writeProgram(t, `echo run >> "$0.runs"\necho "# from $1"\necho ${identity}`);
  const paths = { masterKey: `exec:${program} --pin=1234` };
  const secrets = createMasterSecrets(paths);
  assert.deepEqual(await loadMaster(paths, secrets), { identity, recipient });
  assert.deepEqual((await loadOrCreateMaster(paths, secrets)).master, { identity, recipient });
  const child = createMasterSecrets(paths, { known: secrets.known() });
  assert.deepEqual(await loadMaster(paths, child), { identity, recipient });
  assert.equal(readFileSync(`${program}.runs`, 'utf8'), 'run\n');
  await assert.rejects(replaceMaster(secrets, []), (error: Error) => {
    assert.match(error.message, /comes from exec:.*print-key …: only you can change it there/);
    return !error.message.includes('1234');
  });
});

test('it gets no setting of Dropslot', async (t) => {
  process.env.DROPSLOT_TEST_SECRET = 'x';
  t.after(() => delete process.env.DROPSLOT_TEST_SECRET);
  const program = writeProgram(t, 'env; cat');
  assert.doesNotMatch((await readProgram([program])).toString(), /DROPSLOT_/);
});

test('a program that fails, hangs, floods or is missing: the message names it, and quotes nothing of it', async (t) => {
  const told = async (script: string, limitMs?: number): Promise<string> => {
    const program = writeProgram(t, script);
    const error = await readProgram([program, 'secret-argument'], limitMs).catch((failure: Error) => failure);
    assert.ok(error instanceof Error && error.message.includes(program));
    assert.doesNotMatch(`${error.message} ${error.cause}`, /secret/);
    return error.message;
  };
  assert.match(await told('echo secret; echo secret >&2; exit 3'), /failed \(exit code 3\): run it by hand/);
  assert.match(await told('echo secret; kill -TERM $$'), /failed \(SIGTERM\)/);
  assert.match(await told('exit 0'), /printed nothing/);
  assert.match(await told('yes secret'), /more than 65536 bytes/);
  const missing = readProgram(['/nowhere/print-key']);
  await assert.rejects(missing, {
    code: 'unreadable',
    message: /\/nowhere\/print-key, can't be run: there is no such file/,
  });
});

test('a program that hangs is ended with the programs that it started', async (t) => {
  const program = writeProgram(t, '(while :; do echo x >> "$0.alive"; sleep 0.05; done) &\nsleep 600');
  await assert.rejects(readProgram([program], 1500), /did not end within 1.5 s/);
  const alive = () => (existsSync(`${program}.alive`) ? readFileSync(`${program}.alive`).length : 0);
  let before = -1;
  await until(async () => {
    const same = before === alive();
    before = alive();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return same;
  }, 'its child to end');
});
