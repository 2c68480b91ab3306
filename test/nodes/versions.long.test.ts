/** Two versions at once, as while nodes are upgraded one after the other: the one before this, and this one. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { lacksCluster } from '../support/cluster.js';
import { newKeyPair } from '../support/keys.js';
import { lacksPooler } from '../support/pooler.js';
import { askDropslot, type RunOptions, startServe } from '../support/program.js';
import { missingSwift, startSwift } from '../support/swift.js';
import { openScope, type Scope, temporaryFolder } from '../support/temporary.js';
import { type Build, lacksBefore, openBefore, thisBuild } from './build.js';
import { ReplicatedDatabase } from './databases.js';
import { lacksFaketime } from './node.js';
import { playRound } from './round.js';

const before = lacksBefore === false ? openBefore({ after }) : (null as never as Build);

describe('nodes of the version before beside nodes of this one', { skip: lacksBefore }, () => {
  const lacksNodes = lacksCluster || lacksFaketime || lacksPooler;

  async function play(
    t: Scope & { diagnostic(line: string): void },
    seed: number,
    others: number,
    isByHand: boolean,
    hasStore: boolean,
  ) {
    const scope = openScope();
    try {
      const database = await ReplicatedDatabase.start(scope);
      const store = hasStore ? await startSwift(scope) : null;
      const tell = (line: string) => t.diagnostic(line);
      const { work } = await playRound(scope, database, seed, {
        other: before,
        others,
        store,
        isByHand,
        tell,
      });
      for (const { name } of [before, thisBuild]) assert.ok((work[name]?.uploads ?? 0) > 0, `${name} took no upload`);
    } finally {
      await scope.close();
    }
  }

  test('a shared folder: all nodes have the version before, and are upgraded under load', { skip: lacksNodes }, (t) =>
    play(t, 2, 3, true, false),
  );

  test('a shared folder: one node has the version before, and only slots import', { skip: lacksNodes }, (t) =>
    play(t, 1, 1, false, false),
  );

  test('an object store: two nodes have the version before', { skip: lacksNodes || missingSwift }, (t) =>
    play(t, 7, 2, true, true),
  );
});

describe('one machine', { skip: lacksBefore }, () => {
  test('upgrade, step back, and upgrade again, with files in the queue and after a kill', async (t) => {
    const data = temporaryFolder(t);
    const builds = { old: { data, entry: before.entry! }, new: { data } } satisfies Record<string, RunOptions>;
    const key = newKeyPair();
    const publicKey = join(data, 'login.pub');
    writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
    await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], builds.old);
    await askDropslot(['keys', 'add', 'acme', publicKey], builds.old);
    const imported: string[] = [];
    const steps = [
      { takes: builds.old, imports: builds.new, end: 'SIGTERM' },
      { takes: builds.new, imports: builds.old, end: 'SIGTERM' },
      { takes: builds.new, imports: builds.old, end: 'SIGKILL' },
      { takes: builds.old, imports: builds.new, end: 'SIGKILL' },
    ] as const;
    for (const [n, { takes, imports, end }] of steps.entries()) {
      const server = await startServe(t, takes);
      const quiet = () => {}; // A server that is killed resets its connections.
      const client = new SftpClient('client', { error: quiet, end: quiet, close: quiet });
      await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
      await client.put(Buffer.from(`User Email\nuser${n}@acme.test\n`), `/users-${n}.csv`);
      const ended = server.stop(end);
      await client.end().catch(() => {});
      assert.equal(await ended, end === 'SIGTERM' ? 0 : null);
      const summary = await askDropslot<{ users: { created: number } }>(['import', 'acme'], imports);
      assert.equal(summary.users.created, 1, `step ${n}`);
      imported.push(`user${n}@acme.test`);
      for (const options of [takes, imports]) {
        const users = await askDropslot<{ email: string }[]>(['users', 'list', 'acme'], options);
        assert.deepEqual(users.map(({ email }) => email).sort(), ['jane@acme.test', ...imported]);
        const { whole } = await askDropslot<{ whole: boolean }>(['doctor', '--deep'], options);
        assert.ok(whole, `step ${n}: doctor`);
      }
    }
    await askDropslot(['audit', 'verify'], builds.new);
  });
});
