/** Compares what a data folder holds with what its clients were told, and with what was imported from it. */
import assert from 'node:assert/strict';
import type { RunSummary } from '../../importer/types.js';
import type { Workplace } from '../../operations/workplace.js';
import { examine } from '../support/workplace.js';
import type { Ledger, Sent } from './ledger.js';

export const org = 'acme';

interface Upload {
  id: number;
  path: string;
  state: string;
  queue_number: number | null;
  archived_as: string | null;
  sha256: string;
}

/** The states that each answer leaves open; a superseded upload needs a newer one of its path. */
const allowed: Record<Sent['state'], readonly string[]> = {
  sending: ['stored', 'queued', 'running', 'imported', 'superseded'],
  stored: ['stored'],
  renaming: ['stored', 'queued', 'running', 'imported', 'superseded'],
  acknowledged: ['queued', 'running', 'imported', 'superseded'],
};

/**
 * Every promise is kept so far, and nothing is there that nobody sent whole. `mostUnanswered`: clients times kills, as
 * each may have had one CLOSE committed whose answer could not leave.
 */
export async function checkPromises(
  place: Workplace,
  ledger: Ledger,
  mostUnanswered: number,
  of: string = org,
): Promise<void> {
  const uploads = await listUploads(place, of);
  const found = new Map<string, Upload>();
  let unanswered = 0;
  for (const upload of uploads) {
    const sent = ledger.find(upload.sha256);
    assert.ok(sent !== undefined, `upload ${upload.id} of ${upload.path} is nothing that a client sent whole`);
    assert.ok(!found.has(upload.sha256), `${upload.path} was taken twice`);
    found.set(upload.sha256, upload);
    assert.ok(allowed[sent.state].includes(upload.state), `${upload.path}: ${sent.state}, and ${upload.state}`);
    if (upload.state === 'superseded') assert.ok(isReplaced(upload, uploads), `${upload.path} gave way to nothing`);
    if (sent.state === 'sending') unanswered++;
  }
  for (const { sha256, state, path } of ledger.all())
    assert.ok(state === 'sending' || found.has(sha256), `${path} was ${state}, and is lost`);
  assert.ok(unanswered <= mostUnanswered, `${unanswered} uploads were published and never answered`);
}

/** Nothing is wrong, and nothing is left over but what a kill may leave until it is swept. */
export async function checkWhole(place: Workplace, hoursLater = 0): Promise<void> {
  const findings = await examine(place.settings, { deep: true, now: () => Date.now() + hoursLater * 3_600_000 });
  const bad = findings.filter(({ level, check, message, mend }) => {
    // A run that was killed five times is given up, and its files wait for the next one.
    if (level === 'wrong') return !/^run \d+ failed: given up/.test(message);
    return check === 'blobs' && level !== 'ok' && mend === undefined;
  });
  assert.deepEqual(bad, [], 'doctor --deep');
}

/** Everything is imported that was to be, each file once, and nothing else; bytes, archive and reports are there. */
export async function checkImported(place: Workplace, ledger: Ledger, of: string = org): Promise<void> {
  const { control, directory } = place;
  const uploads = await listUploads(place, of);
  const imported = uploads.filter(({ state }) => state === 'imported');
  for (const { id, path, state } of uploads)
    assert.ok(['imported', 'superseded', 'stored'].includes(state), `upload ${id} of ${path} is ${state}`);

  const created: { upload_id: number; users: number }[] = await directory
    .read('changes')
    .where({ org_id: of, entity: 'user', field: '' })
    .whereNotNull('upload_id')
    .groupBy('upload_id')
    .select('upload_id', directory.read.raw('count(*) as users'));
  assert.deepEqual(
    created.map(({ upload_id, users }) => [upload_id, users]).sort(byFirst),
    imported.map(({ id, sha256 }) => [id, ledger.find(sha256)!.users]).sort(byFirst),
    'users created by each upload',
  );
  const applied = await directory
    .read('applied_uploads')
    .join('applied_runs', 'applied_runs.run_id', 'applied_uploads.run_id')
    .where({ org_id: of })
    .orderBy('upload_id')
    .select('upload_id');
  assert.deepEqual(
    applied.map(({ upload_id }) => upload_id),
    imported.map(({ id }) => id),
    'applied uploads',
  );
  const users = await directory.read('users').where({ org_id: of }).select('id');
  assert.equal(
    users.length,
    imported.reduce((sum, { sha256 }) => sum + ledger.find(sha256)!.users, 1),
    'users and the owner',
  );
  await checkArchive(place, ledger, uploads, of);
  await checkReports(place, imported, of);
  const unfinished = await control.read('runs').where({ org_id: of }).whereNotIn('state', ['done', 'failed']);
  assert.deepEqual(unfinished, [], 'runs that are not over');
}

/** Every upload has one name, under which its very bytes are read. */
async function checkArchive(place: Workplace, ledger: Ledger, uploads: readonly Upload[], of: string): Promise<void> {
  const space = await place.space(await place.org(of));
  for (const { id, path, archived_as, sha256 } of uploads) {
    const names = await place.control.read('entries').where({ upload_id: id });
    assert.equal(names.length, 1, `names of upload ${id}`);
    const reader = await space.openRead(archived_as ?? path);
    const { content } = ledger.find(sha256)!;
    assert.ok((await reader.read(0, content.length + 1)).equals(content), `the bytes of upload ${id}`);
    await reader.close();
  }
}

/** Each imported upload stands in one run's summary, and has its report if there is anything to report. */
async function checkReports(place: Workplace, imported: readonly Upload[], of: string): Promise<void> {
  const space = await place.space(await place.org(of));
  const runs = await place.control.read('runs').where({ org_id: of }).whereNotNull('summary').select('summary');
  const files = runs.flatMap(({ summary }) => (JSON.parse(summary) as RunSummary).files);
  assert.deepEqual(
    files.map(({ uploadId }) => uploadId!).sort((one, other) => one - other),
    imported.map(({ id }) => id),
    'files of all summaries',
  );
  for (const { report, problems = [] } of files) {
    assert.equal(report === null, problems.length === 0, 'a report where there is something to report');
    if (report !== null) assert.equal((await space.stat(report)).kind, 'file');
  }
}

async function listUploads({ control }: Workplace, of: string): Promise<Upload[]> {
  return control
    .read('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .where('uploads.org_id', of)
    .orderBy('uploads.id')
    .select('uploads.id', 'path', 'state', 'queue_number', 'archived_as', 'sha256');
}

/** By the order of the queue: two servers may publish files of one name at once, and the one that began later be first. */
function isReplaced(upload: Upload, uploads: readonly Upload[]): boolean {
  return uploads.some(
    ({ id, path, queue_number }) => id !== upload.id && path === upload.path && queue_number! >= upload.queue_number!,
  );
}

function byFirst(one: readonly unknown[], other: readonly unknown[]): number {
  return Number(one[0]) - Number(other[0]);
}
