/** When the rounds of a source are: before slots, every so many minutes, and later after failures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FolderConfig, SftpConfig } from '../../db/control/sources.js';
import { nextSlotOf } from '../../operations/doors.js';
import { nextRound, readEvery } from '../../sources/schedule.js';
import { sampleOrg } from '../support/samples.js';

const minute = 60_000;
const org = sampleOrg('acme', { slot: '02:00', timeZone: 'UTC' });
const now = Date.UTC(2026, 2, 10, 12);
const slot = Date.UTC(2026, 2, 11, 2);
const deps = { nextSlot: nextSlotOf, leadMs: 30 * minute };
const sftp = (when: string) => ({ kind: 'sftp', when }) as SftpConfig;
const folder = (poll: boolean) => ({ kind: 'folder', poll }) as FolderConfig;
const next = (
  config: SftpConfig | FolderConfig,
  failures = 0,
  waitingRounds = 0,
  failureCode: string | null = null,
  at = now,
) => nextRound(config, org, at, { failures, failureCode, waitingRounds }, deps);

test('a source is fetched three times before the next slot, and then before the one after it', () => {
  const rounds = [now];
  for (let count = 0; count < 4; count++) rounds.push(next(sftp('before-slot'), 0, 0, null, rounds.at(-1)!));
  const before = rounds.slice(1).map((at) => (slot - at) / minute);
  assert.deepEqual(before, [30, 20, 10, 30 - 24 * 60]);
  assert.equal(next(sftp('every:30m')), now + 30 * minute);
});

test('a file that was not finished is looked at again soon', () => {
  assert.equal(next(sftp('before-slot'), 0, 1), now + minute);
  assert.equal(next(sftp('before-slot'), 0, 9), now + 30 * minute, 'more rarely, while it is not finished');
  assert.equal(next(folder(true), 0, 1), now + minute / 6);
});

test('pauses grow up to 4 hours, and the round before a slot is always tried', () => {
  const pauses = [1, 2, 3, 8, 9, 50].map((failures) => (next(sftp('every:30m'), failures) - now) / minute);
  assert.deepEqual(pauses, [1, 2, 4, 128, 240, 240]);
  assert.equal(next(sftp('before-slot'), 50, 0, null, slot - 60 * minute), slot - 30 * minute);
  assert.equal(next(folder(false), 50), now + 5 * minute);
});

test('every:N', () => {
  assert.deepEqual(
    ['every:30m', 'every:2h', 'every:24h', 'every:0m', 'every:25h', 'every:30', '30m', 'every:1.5h'].map(readEvery),
    [30, 120, 1440, null, null, null, null, null],
  );
});
