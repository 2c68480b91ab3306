/** Copies of both databases are of one moment, whatever is written while they are made. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import type { Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { bumpVersion, readVersion } from '../../db/directory/directory.js';
import { copySqlite, openPostgresSnapshot, type Snapshot } from '../../db/snapshot.js';
import { onEveryDatabase, type TestDatabases } from '../support/databases.js';

const snapshots = 12;
/** Moments that they must be of: on a busy machine the writer comes to its turn seldom. */
const moments = 3;
const patienceMs = 60_000;

/** As an import does: first in one database, then in the other, then in the first again. */
async function importOnce({ control, directory }: TestDatabases, turn: number): Promise<void> {
  const event = { at: turn, org: null, actor: 'system', subject: String(turn), detail: {} };
  await recordAudit(control.write, { ...event, action: 'claimed' });
  await directory.transact((tx) => bumpVersion(tx, 'acme'));
  await recordAudit(control.write, { ...event, action: 'settled' });
}

async function countEvents(control: Queryable, action: string): Promise<number> {
  return (await control('audit').where({ action }).select('id')).length;
}

function takeSnapshot({ settings, control, directory }: TestDatabases, n: number): Promise<Snapshot> {
  if (control.dialect === 'postgres') return openPostgresSnapshot(control, directory);
  const folder = join(settings.data, `copy-${n}`);
  mkdirSync(folder);
  return copySqlite(settings, pathsOf(settings), folder, pathsOf({ data: folder }), directory.source?.key);
}

onEveryDatabase('a snapshot', (open) => {
  test('has nothing settled that it has not applied, and nothing applied that it has not claimed', async (t) => {
    const databases = await open(t);
    let isOver = false;
    const writing = (async () => {
      for (let turn = 1; !isOver; turn++) await importOnce(databases, turn);
    })();
    const seen = new Set<number>();
    const deadline = Date.now() + patienceMs;
    for (let n = 0; n < snapshots || (seen.size < moments && Date.now() < deadline); n++) {
      const snapshot = await takeSnapshot(databases, n);
      const applied = await readVersion(snapshot.directory, 'acme');
      const [claimed, settled] = [
        await countEvents(snapshot.control, 'claimed'),
        await countEvents(snapshot.control, 'settled'),
      ];
      await snapshot.close();
      assert.ok(settled <= applied && applied <= claimed && claimed - settled <= 1, `${claimed}/${applied}/${settled}`);
      seen.add(applied);
    }
    isOver = true;
    await writing;
    assert.ok(seen.size >= moments, `${seen.size} moments`);
  });
});
