/** Pages of operators: the lights of organizations, sessions and penalties, tokens, the audit trail, the doctor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordAudit } from '../../../db/control/audit.js';
import { putPenalties } from '../../../db/control/penalties.js';
import { listAskedEnds, type OpenSession, removeSessionServer, writeSessions } from '../../../db/control/sessions.js';
import { listAllTokens, recognizeToken } from '../../../operations/tokens.js';
import { csv } from '../../support/company.js';
import { openTestConsole } from '../../support/console.js';

const textOf = ({ text }: { text: string }) => text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');

test('the overview puts organizations first that need a person, and finds one by its name', async (t) => {
  const { acme, other, person } = await openTestConsole(t);
  const reader = await person('read-only');
  const rows = Array.from({ length: 12 }, (_, index) => `user${index}@other.test,`);
  await other.import({ 'users.csv': csv('User Email,Deactivation Date', ...rows) });
  await other.import({ 'users.csv': csv('User Email,Deactivation Date', ...rows.map((row) => `${row}2020-01-01`)) });
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test', 'no address') });
  const page = textOf(await reader.get('/'));
  assert.match(page, /Other Ltd other waits for a person a held import .* Acme Corp acme in order .* 1 row rejected/);
  assert.match(page, /0 running, 1 held/);
  const [found] = textOf(await reader.get('/?search=ACME')).split('Imports of the next 24 hours');
  assert.match(found!, /Acme Corp/);
  assert.doesNotMatch(found!, /Other Ltd/);
});

test('the overview counts in the database, reads no keys, and shows the imports of the next day by their hours, in one time zone', async (t) => {
  const { place, acme, clock, person } = await openTestConsole(t);
  const at = Date.UTC(2026, 2, 10, 12, 30);
  clock.now = at;
  const operator = await person('operator');
  const { write } = place.control;
  await write('orgs').where({ id: 'acme' }).update({ slot: '02:00', time_zone: 'Europe/Berlin' });
  await write('orgs').where({ id: 'other' }).update({ slot: '20:05,20:45', time_zone: 'America/New_York' });
  for (const [fingerprint, expires] of [
    ['SHA256:soon', at + 86_400_000],
    ['SHA256:later', at + 90 * 86_400_000],
    ['SHA256:over', at - 1],
  ] as const)
    await write('login_keys').insert({
      ...{ org_id: acme.org.id, fingerprint, algorithm: 'ssh-ed25519', public_key: 'AAAA', label: 'x', sources: '[]' },
      ...{ created_at: at, kind: 'key', permission: 'read', expires_at: expires },
    });
  const asked: string[] = [];
  place.control.read.on('query', ({ sql }: { sql: string }) => asked.push(sql));
  const page = await operator.get('/');
  const text = textOf(page);
  assert.match(text, /Acme Corp acme waits for a person 1 key expires soon/);
  // 20:05 in New York is 00:05 UTC: each hour is one line.
  assert.match(
    text,
    /Imports of the next 24 hours Wed 11 Mar 2026, 00:00 Other Ltd 00:05 Wed 11 Mar 2026, 01:00 Acme Corp 01:00/,
  );
  assert.match(text, /Times are in UTC/);
  assert.equal([...page.text.matchAll(/<meter min="0" max="1" value="1"/g)].length, 2);
  for (const sql of asked.filter((one) => /login_keys|key_requests|alarms/.test(one))) assert.match(sql, /count\(/i);
  const zones = await (await person('viewer', 'acme')).get('/orgs/acme');
  assert.match(zones.text, /Times are in the time zone Europe\/Berlin/);
});

test('an operator asks for a backup, sees its state and the last ones; others see them alone', async (t) => {
  const { place, clock, person } = await openTestConsole(t);
  const [operator, reader] = [await person('operator'), await person('read-only')];
  assert.match(textOf(await operator.get('/system')), /Backups The server has no folder for backups/);
  assert.equal((await operator.post('/system/backup', {})).status, 422);
  Object.assign(place.settings, { backupTo: '/srv/backups' });
  assert.match((await operator.get('/system')).text, /action="\/system\/backup"/);
  const { text } = await reader.get('/system');
  assert.doesNotMatch(text, /action="\/system\/backup"/);
  assert.equal((await reader.post('/system/backup', {})).status, 403);
  const asked = await operator.post('/system/backup', {});
  assert.deepEqual([asked.status, asked.headers.get('location')], [303, '/system?done=backup']);
  const waiting = await operator.get('/system');
  assert.match(textOf(waiting), /A backup was asked for, and begins within seconds\./);
  assert.doesNotMatch(waiting.text, /action="\/system\/backup"/);
  const made = { at: clock.now, org: null, actor: 'schedule', action: 'backup.made', subject: '/srv/backups/b1' };
  await recordAudit(place.control.write, { ...made, detail: { files: 1200 } });
  assert.match(textOf(await reader.get('/system')), /schedule \/srv\/backups\/b1 1,200/);
});

test('open sessions are shown and ended, and penalties forgiven', async (t) => {
  const { person, place, clock } = await openTestConsole(t);
  const operator = await person('operator');
  const session: OpenSession = {
    ...{
      id: 'abcdef12',
      org: 'acme',
      fingerprint: null,
      address: '192.0.2.7',
      client: 'OpenSSH_9.2',
      startedAt: clock.now,
    },
    ...{
      filesReceived: 2,
      filesSent: 0,
      bytesReceived: 2048,
      bytesSent: 0,
      openFiles: 1,
      openBytes: 1024,
      bytesPerSecond: 512,
    },
  };
  const server = { id: 'test', name: 'host:1', kind: 'serve' } as const;
  await writeSessions(place.control.write, server, { at: clock.now, written: [session], ended: [] });
  const penalty = { source: '192.0.2.9', until: clock.now + 60_000, strikes: 3, cause: 'login', beganAt: clock.now };
  await putPenalties(place.control.write, [penalty]);
  const shown = textOf(await operator.get('/network'));
  assert.match(
    shown,
    /abcdef12 acme 192\.0\.2\.7 OpenSSH_9\.2 .* 2 files, 2\.0 KiB 0 files, 0 B 1 file, 1\.0 KiB, 512 B\/s End abcdef12/,
  );
  assert.match(shown, /192\.0\.2\.9 login 3 /);

  const ended = operator.post('/network/end', { session: session.id });
  while ((await listAskedEnds(place.control.read, server.id)).length === 0);
  await removeSessionServer(place.control.write, server.id);
  assert.equal((await ended).headers.get('location'), '/network?done=ended');
  await operator.post('/network/forgive', { source: penalty.source });
  assert.match(textOf(await operator.get('/network')), /No session is open\. .* No address has a penalty\./);
  assert.equal((await operator.post('/network/end', { session: 'none' })).status, 422);
});

test('an owner adds a token, which is shown once, and revokes it', async (t) => {
  const { person, place } = await openTestConsole(t);
  const owner = await person('owner');
  const made = await owner.post('/operators/tokens', {
    name: 'portal',
    scope: 'read',
    org: 'acme',
    expires: '2027-01-31',
  });
  const secret = /<code>(dst_[\w-]{43})<\/code>/.exec(made.text)![1]!;
  assert.equal((await recognizeToken(place, secret, null))!.org, 'acme');
  const list = await owner.get('/operators');
  assert.ok(!list.text.includes(secret));
  const [token] = await listAllTokens(place);
  assert.equal((await owner.post('/operators/revoke', { id: token!.id })).status, 303);
  assert.equal(await recognizeToken(place, secret, null), null);
});

test('an auditor verifies and exports the audit trail, and sees nothing else', async (t) => {
  const { person, place, acme } = await openTestConsole(t);
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  const auditor = await person('auditor');
  assert.equal((await auditor.get('/')).headers.get('location'), '/audit');
  assert.match(textOf(await auditor.get('/audit?org=acme')), /run\.done/);
  const lines = (await auditor.get('/audit.jsonl')).text.trim().split('\n');
  assert.equal(JSON.parse(lines.at(-1)!).action, 'account.signed_in');
  assert.match(textOf(await auditor.post('/audit/prove', {})), /The chain is whole: \d+ records\./);
  await place.control.write('audit').where({ seq: 2 }).update({ actor: 'nobody' });
  assert.match(textOf(await auditor.post('/audit/prove', {})), /The chain is broken/);
});

test('the system page shows settings with their origin, and the doctor its findings', async (t) => {
  const { person } = await openTestConsole(t);
  const operator = await person('operator');
  assert.match(
    textOf(await operator.get('/system')),
    /Version 0\.0\.0 Database sqlite Organizations 2, 2 of them enabled/,
  );
  const { status, text } = await operator.post('/system/doctor', {});
  assert.equal(status, 200);
  assert.match(textOf({ text }), /Check Result Finding/);
});
