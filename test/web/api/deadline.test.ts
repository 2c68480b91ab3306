/** The wait for an answer ends, and what comes too late is freed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inTime, longestMs } from '../../../web/api/deadline.js';
import { ApiError } from '../../../web/api/problem.js';

const tooSlow = () => new ApiError('too_slow', 'no answer');

test('work that takes too long is waited for no more, and its result is freed', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const freed: string[] = [];
  let end = (_result: string) => {};
  const work = new Promise<string>((resolve) => {
    end = resolve;
  });
  const waiting = inTime(work, tooSlow, (result) => freed.push(result));
  t.mock.timers.tick(longestMs - 1);
  assert.equal(await Promise.race([waiting, Promise.resolve('waits')]), 'waits');
  t.mock.timers.tick(1);
  await assert.rejects(waiting, { code: 'too_slow' });
  assert.deepEqual(freed, []);
  end('late');
  await work;
  assert.deepEqual(freed, ['late']);
});

test('work that ends in time keeps its result', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const freed: string[] = [];
  assert.equal(await inTime(Promise.resolve('here'), tooSlow, (result) => freed.push(result)), 'here');
  t.mock.timers.tick(2 * longestMs);
  await assert.rejects(inTime(Promise.reject(new Error('own')), tooSlow), /own/);
  assert.deepEqual(freed, []);
});
