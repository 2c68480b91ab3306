/** Several processes of the built program write one file without truncation: with and without keys, and killed in between. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createDatabase } from '../support/databases.js';
import { askDropslot, runDropslot } from '../support/program.js';
import { until } from '../support/session.js';
import { openScope, type Scope, temporaryFolder } from '../support/temporary.js';
import { openFor, Wire } from '../support/wire.js';

const program = fileURLToPath(new URL('../../dist/app/main.js', import.meta.url));
const toAppend = openFor.write | openFor.create | openFor.append;
const toReplace = openFor.write | openFor.create | openFor.truncate;
const refusal = /4: This file is open for writing on another server, which cannot share it/;
const path = '/users.csv';

interface Place {
  data: string;
  env: Record<string, string>;
}

/** A process with one session. */
async function startSession(scope: Scope, { data, env }: Place, role: 'all' | 'intake') {
  const child = spawn(process.execPath, [program, '--data', data, 'sftp-server', '--org', 'acme'], {
    env: { PATH: process.env.PATH ?? '', ...env, DROPSLOT_ROLE: role },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  scope.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  child.stdin.on('error', () => {});
  const wire = new Wire(Duplex.from({ readable: child.stdout, writable: child.stdin }).on('error', () => {}));
  await wire.initialize();
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { wire, kill };
}

async function read({ data, env }: Place): Promise<string> {
  return (await runDropslot(['files', 'cat', 'acme', path], { data, env })).stdout;
}

for (const dialect of ['sqlite', 'postgres'])
  describe(`writers in several processes (${dialect})`, () => {
    test('what two can not share fails at the second OPEN; a killed writer excludes others for its lease alone', async () => {
      const scope = openScope();
      try {
        const env: Record<string, string> =
          dialect === 'postgres' ? { DROPSLOT_DATABASE: await createDatabase(scope) } : {};
        const place: Place = { data: temporaryFolder(scope), env };
        await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], place);
        const [keyless, other, keyed] = await Promise.all([
          startSession(scope, place, 'intake'),
          startSession(scope, place, 'intake'),
          startSession(scope, place, 'all'),
        ]);

        // A writer without keys excludes those of every other process, and an upload with truncation is legal.
        const first = await keyless.wire.open(path, toAppend);
        await keyless.wire.write(first, 0, 'first');
        for (const { wire } of [other, keyed]) await assert.rejects(wire.open(path, toAppend), refusal);
        assert.equal((await keyless.wire.close(first)).code, 0);
        assert.equal(await read(place), 'first');

        // One with keys excludes those without, and shares the file with its own kind.
        const appending = await keyed.wire.open(path, toAppend);
        await keyed.wire.write(appending, 0, ' second');
        await assert.rejects(other.wire.open(path, openFor.write), refusal);
        const twin = await startSession(scope, place, 'all');
        const third = await twin.wire.open(path, toAppend);
        await twin.wire.write(third, 0, ' third');
        for (const [{ wire }, handle] of [
          [twin, third],
          [keyed, appending],
        ] as const)
          assert.equal((await wire.close(handle)).code, 0);
        assert.equal(await read(place), 'first third second');

        // Nothing of a killed writer is published, and others get the file when its lease has ended.
        assert.equal((await keyless.wire.put(path, '')).code, 0);
        const dead = await keyless.wire.open(path, toAppend);
        await keyless.wire.write(dead, 0, 'dead');
        await keyless.kill();
        const killedAt = performance.now();
        await assert.rejects(other.wire.open(path, toAppend), refusal);
        assert.equal((await other.wire.put('/other.csv', 'x')).code, 0);
        let next: Buffer | null = null;
        await until(async () => {
          next = await other.wire.open(path, toAppend).catch(() => null);
          return next !== null;
        }, 'the end of the lease');
        assert.ok(performance.now() - killedAt < 25_000);
        await other.wire.write(next!, 0, 'alive');

        // An upload that replaces the file meanwhile is published; the CLOSE that can't be laid over it fails loudly.
        assert.equal((await keyed.wire.put(path, 'newer')).code, 0);
        assert.match((await other.wire.close(next!)).sentence, /no key to open the existing file/);
        assert.equal(await read(place), 'newer');
        const whole = await other.wire.open(path, toReplace);
        await other.wire.write(whole, 0, 'whole');
        assert.equal((await other.wire.close(whole)).code, 0);
        assert.equal(await read(place), 'whole');
      } finally {
        await scope.close();
      }
    });
  });
