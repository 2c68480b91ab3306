/** The state of the server on one screen: alarms of files and of sources in sentences, and the numbers of monitors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderStatus } from '../../cli/views/status.js';
import { followAlarms, setDoorAlarm } from '../../db/control/alarms.js';
import { recordAudit } from '../../db/control/audit.js';
import { insertOrg } from '../../db/control/orgs.js';
import { statusToJson } from '../../operations/forms/server.js';
import { readCounts, readStatus } from '../../operations/status.js';
import { onBothDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { workplaceOn } from '../support/workplace.js';

onBothDatabases('status', (open) => {
  test('each open alarm has its sentence, also that of a source', async (t) => {
    const { settings, control } = await open(t);
    const now = Date.UTC(2026, 2, 10, 9);
    const place = { ...(await workplaceOn(t, settings)), now: () => now };
    await insertOrg(control.write, sampleOrg('acme', { timeZone: 'Europe/Berlin' }));
    await insertOrg(control.write, sampleOrg('off', { enabled: false }));
    const failing = { kind: 'source_failing', subject: 'source 3', detail: { since: now } } as const;
    const missing = { kind: 'missing', subject: 'users', detail: { deadline: now } } as const;
    await control.transact(async (tx) => {
      await setDoorAlarm(tx, 'acme', failing, true, now);
      await followAlarms(tx, 'acme', [missing], {}, now);
    });
    const backup = { at: now, org: null, actor: 'a', action: 'backup.made', subject: '/b', detail: { files: 1 } };
    await recordAudit(control.write, backup);
    const status = await readStatus(place, '1.0.0');
    assert.equal(statusToJson(status).openAlarms, 2);
    const sentences = [
      'no users file came by 2026-03-10 10:00 (Europe/Berlin)',
      'no file can be taken from source 3 since 2026-03-10 10:00 (Europe/Berlin): see "dropslot sources show 3"',
    ];
    assert.deepEqual(
      statusToJson(status).alarms.map(({ org, kind, subject, message }) => [org, kind, subject, message]),
      [
        ['acme', 'missing', 'users', sentences[0]],
        ['acme', 'source_failing', 'source 3', sentences[1]],
      ],
    );
    for (const sentence of sentences) assert.ok(renderStatus(status, 0, now).includes(`acme: ${sentence}`));
    const { organizations, lastBackupAt } = await readCounts(place);
    assert.deepEqual([organizations, lastBackupAt], [{ all: 2, enabled: 1 }, now]);
  });
});
