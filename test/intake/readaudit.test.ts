/** Reads while the disk is full: they succeed, the log has them, and the audit trail has them once there is space. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { listAudit } from '../../db/control/audit.js';
import { GroupCommit } from '../../intake/groupcommit.js';
import { type Read, recordReads } from '../../intake/readaudit.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { sender } from '../support/intake.js';
import { keepingLogger } from '../support/session.js';
import { workplaceOn } from '../support/workplace.js';

onBothDatabases('reads', (open) => {
  test('a full disk: files are read, and recorded later; another failure of the database still refuses a read', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    const { logger, lines } = keepingLogger();
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const place = await workplaceOn(t, acme.databases.settings);
    let code: string | null = 'SQLITE_FULL';
    const transact: Db['transact'] = (work) =>
      code === null ? control.transact(work) : Promise.reject(Object.assign(new Error(code), { code }));
    const commits = new GroupCommit({ ...control, transact });
    const unrecorded: Read[] = [];
    const deps = { commits, now: () => acme.clock, logger, unrecorded };
    const space = recordReads(await place.space(acme.org), acme.org, sender, deps);
    const read = async () => {
      const reader = await space.openRead('/users.csv');
      try {
        return (await reader.read(0, 100)).toString();
      } finally {
        await reader.close();
      }
    };
    assert.match(await read(), /ann@acme/);
    code = '53100';
    assert.match(await read(), /ann@acme/);
    assert.equal(lines.length, 2);
    assert.match(lines[0]!, /the disk is full.*audit trail, which follows/);
    assert.doesNotMatch(lines.join(), /users\.csv/);
    code = 'SQLITE_IOERR';
    await assert.rejects(read(), { code: 'failed' });
    const recorded = async () => (await listAudit(control.read, 'acme')).filter(({ action }) => action === 'file.read');
    assert.equal((await recorded()).length, 0);
    code = null;
    acme.clock += 60_000;
    await read();
    assert.deepEqual((await recorded()).map(({ at }) => at - acme.clock).sort(), [-60_000, -60_000, 0].sort());
    assert.equal(unrecorded.length, 0);
    code = 'SQLITE_FULL';
    unrecorded.length = 1_000;
    unrecorded.fill({ org: acme.org, sender, at: 0, path: '/users.csv', size: 1 });
    await assert.rejects(read(), { code: 'failed' }, 'no more than a thousand');
  });
});
