/** Somebody who can write to the control database or the disk, and not through Dropslot: nothing of it is imported, and all of it is named. */
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { test } from 'node:test';
import { openControl } from '../../db/connection.js';
import { readHead, recordAudit } from '../../db/control/audit.js';
import { hashRecord } from '../../db/control/auditchain.js';
import { proveAudit } from '../../operations/audit.js';
import { examineUploadRecords } from '../../operations/doctor/databases.js';
import { eraseUser } from '../../operations/people/erase.js';
import { requeueStoredFile } from '../../operations/retry.js';
import { blobPath, createBlob } from '../../storage/blobs.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import type { Scope } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

type Open = (scope: Scope) => Promise<TestDatabases>;

const admin = csv('User Email,Is Org Admin', 'eve@acme.test,Yes');
const detailOf = (upload: number, { size, sha256 }: SealedBlob) =>
  JSON.stringify({ upload, outcome: 'complete', size, sha256, queued: true });

/** Each gets an organization with one file in its queue, upload 1, and leaves one forged file there. */
const forgeries: Record<string, (acme: Company) => Promise<void>> = {
  'three inserts': async (acme) => void (await insertForged(acme)),
  'three inserts, and a record that no chain holds': async (acme) => {
    const { blob, upload } = await insertForged(acme);
    const { count, hash } = await readHead(acme.deps.control.read);
    const fields = {
      seq: count + 1,
      at: acme.clock,
      org: 'acme',
      actor: 'key:x',
      action: 'upload.closed',
      subject: '/f',
    };
    const record = { ...fields, detail: detailOf(upload, blob) };
    const { org, ...row } = record;
    await acme.deps.control
      .write('audit')
      .insert({ ...row, org_id: org, upload_id: upload, hash: hashRecord(hash, record) });
  },
  'a record that is changed to have the forged file': async (acme) => {
    const { blob, upload } = await insertForged(acme);
    const audit = acme.deps.control.write('audit').where({ action: 'upload.closed' });
    await audit.update({ upload_id: upload, detail: detailOf(upload, blob) });
  },
  'the record of another organization': async (acme) => {
    const { blob, upload } = await insertForged(acme);
    const event = { at: acme.clock, org: 'globex', actor: 'key:x', action: 'upload.closed', subject: '/forged.csv' };
    await acme.deps.control.transact((tx) => recordAudit(tx, { ...event, detail: JSON.parse(detailOf(upload, blob)) }));
  },
  'another blob for an upload that has its record': async (acme) => {
    const blob = await sealAdmin(acme);
    await insertBlob(acme, blob);
    await acme.deps.control.write('uploads').where({ id: 1 }).update({ blob_id: blob.id });
  },
};

async function sealAdmin({ deps, org }: Company): Promise<SealedBlob> {
  const writer = await createBlob(deps.paths, org.recipient);
  await writer.write(Buffer.from(admin));
  return writer.finish();
}

async function insertBlob({ deps, clock }: Company, { id, size, sealedSize, sha256 }: SealedBlob): Promise<void> {
  const row = { id, org_id: 'acme', size, sealed_size: sealedSize, sha256, created_at: clock };
  await deps.control.write('blobs').insert(row);
}

async function insertForged(acme: Company): Promise<{ blob: SealedBlob; upload: number }> {
  const { write } = acme.deps.control;
  const blob = await sealAdmin(acme);
  await insertBlob(acme, blob);
  const times = { begun_at: acme.clock, closed_at: acme.clock, queued_at: acme.clock, queue_number: 99 };
  const [{ id }] = await write('uploads')
    .insert({ org_id: 'acme', path: '/forged.csv', blob_id: blob.id, state: 'queued', ...times })
    .returning('id');
  const entry = { org_id: 'acme', dir: '/', name: 'forged.csv', folded_name: 'forged.csv', kind: 'file', mode: 0o644 };
  const file = { blob_id: blob.id, upload_id: id, size: blob.size, mtime_ms: acme.clock, atime_ms: acme.clock };
  await write('entries').insert({ ...entry, ...file, created_at: acme.clock });
  return { blob, upload: id };
}

async function begin(open: Open, t: Scope): Promise<Company> {
  const acme = await Company.open(open, t);
  await acme.drop('/good.csv', csv('User Email', 'ann@acme.test'));
  return acme;
}

onBothDatabases('a forged upload', (open) => {
  for (const [name, forge] of Object.entries(forgeries))
    test(`${name}: it is not imported, and audit verify and doctor name it`, async (t) => {
      const acme = await begin(open, t);
      assert.deepEqual(await examineUploadRecords(acme.deps), []);
      await forge(acme);
      const [found, ...others] = await examineUploadRecords(acme.deps);
      assert.deepEqual(
        [found?.level, found?.check, others.length],
        ['wrong', 'audit', name.startsWith('a record') ? 1 : 0],
      );
      assert.match(found!.message, /has no record in the audit trail with its content/);
      const { flaws } = await proveAudit(acme.deps, null);
      assert.ok(flaws.some(({ what }) => /upload \d+ of acme has no record with its content/.test(what)));
      const { control } = acme.deps;
      // The next record would meet the one that the forger has put in its place.
      if (name.includes('no chain')) await control.write('audit').where({ actor: 'key:x' }).delete();
      const summary = await acme.import();
      const forged = summary.files.filter(({ refusal }) => refusal?.code === 'unrecorded');
      assert.ok(forged.length > 0);
      assert.ok(!('eve@acme.test' in (await acme.users())));
    });

  test('uploads of an older version: an update finds their records, and records those that have none', async (t) => {
    const acme = await begin(open, t);
    const { control, settings } = acme.deps;
    const { upload } = await insertForged(acme);
    await control.write('knex_migrations').where({ name: '036_upload_records' }).delete();
    await control.write.raw('DROP INDEX audit_uploads');
    await control.write.schema.alterTable('audit', (table) => table.dropColumn('upload_id'));
    const migrated = await openControl(settings);
    t.after(() => migrated.close());
    assert.deepEqual(await examineUploadRecords({ control: migrated }), []);
    const adopted = await migrated.read('audit').where({ action: 'upload.adopted' });
    assert.deepEqual(
      adopted.map(({ upload_id, org_id, subject }) => [upload_id, org_id, subject]),
      [[upload, 'acme', '/forged.csv']],
    );
    assert.deepEqual((await proveAudit({ control: migrated }, null)).flaws, []);
    const { files } = await acme.import();
    assert.deepEqual(
      files.map(({ state }) => state),
      ['imported', 'imported'],
    );
  });

  test('a file of the disk that is exchanged has another content than its record', async (t) => {
    const acme = await begin(open, t);
    const { blob_id: id } = await acme.deps.control.read('uploads').first('blob_id');
    renameSync(blobPath(acme.deps.paths, (await sealAdmin(acme)).id), blobPath(acme.deps.paths, id));
    const summary = await acme.import();
    assert.deepEqual(
      summary.files.map(({ refusal }) => refusal?.code),
      ['damaged'],
    );
    assert.ok(!('eve@acme.test' in (await acme.users())));
  });

  test('a file that is queued again, or sealed anew without a person, has its record', async (t) => {
    const acme = await begin(open, t);
    const place = await workplaceOn(t as never, acme.databases.settings);
    await acme.drop('/more.csv', csv('User Email,Manager Email', 'bob@acme.test,ann@acme.test'));
    await eraseUser(place, 'acme', 'ann@acme.test', { waitMs: 0, removesUnsearched: false });
    assert.deepEqual(await examineUploadRecords(acme.deps), []);
    const { files } = await acme.import();
    assert.deepEqual(
      files.map(({ state }) => state),
      ['imported', 'imported'],
    );
    await requeueStoredFile(place, 'acme', files[1]!.archivedAs!);
    assert.equal((await acme.import()).files[0]!.state, 'imported');
    assert.deepEqual((await proveAudit(acme.deps, null)).flaws, []);
    // Queued by an operator: it is right after all.
    await insertForged(acme);
    await requeueStoredFile(place, 'acme', '/forged.csv');
    assert.equal((await acme.import()).files[0]!.state, 'imported');
  });
});
