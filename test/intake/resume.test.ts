/** The record of an upload in progress while the database is away for some time. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { insertOrg } from '../../db/control/orgs.js';
import { GroupCommit } from '../../intake/groupcommit.js';
import { ResumeRecord } from '../../intake/resume.js';
import { loadOrCreateNodeKey } from '../../keys/master/nodekey.js';
import { onBothDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { temporaryFolder } from '../support/temporary.js';

const attributes = { mode: 0o644, mtimeMs: 0, atimeMs: 0 };
const secret = { payloadKey: randomBytes(32), headerBytes: 200 };
const remainsOf = (id: string) => ({ id, sealedBytes: 1024 * 1024, secret, continuesBase: false });

onBothDatabases('records of uploads', (open) => {
  test('a record that was surely not written leaves the one before, which the next one replaces', async (t) => {
    const { control } = await open(t);
    const folder = temporaryFolder(t);
    const org = sampleOrg('acme');
    await insertOrg(control.write, org);
    let isAway = false;
    const lost = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    const transact: typeof control.transact = (work) => control.transact(isAway ? () => Promise.reject(lost()) : work);
    const warnings: string[] = [];
    const record = new ResumeRecord(
      {
        ...{ org, commits: new GroupCommit({ ...control, transact }), now: () => 0, process: 'this' },
        nodeKey: () => loadOrCreateNodeKey({ nodeKey: `${folder}/node.key` }),
        renew: async () => {},
        warn: (message) => warnings.push(message),
      },
      { path: '/users.csv', begunAt: 0, lastUpload: 0, basedOn: null, keeps: true },
    );
    t.after(() => record.settle());
    const rows = () => control.read('partials').pluck('id');
    record.note(remainsOf('a'), attributes);
    assert.equal(await record.settle(), 'a');
    isAway = true;
    record.note(remainsOf('b'), attributes);
    const failed = record.settle();
    // Before the record of b has failed.
    record.note(remainsOf('c'), attributes);
    assert.equal(await failed, 'a');
    isAway = false;
    assert.equal(await record.settle(), 'c');
    assert.deepEqual([await rows(), warnings.length], [['c'], 1]);
    assert.equal(await record.reclaim('c'), true);
    assert.deepEqual(await rows(), []);
  });
});
