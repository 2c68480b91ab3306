/** Places and turns: bounds for all and for one organization, and turns in which no organization waits behind the whole queue of another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTurns, holding, inOnePlace, takeDownload, takePlace, takeShare } from '../../operations/places.js';

test('an organization never takes every place', () => {
  const busy = new Set<string>();
  const take = (org: string) => takeShare(busy, 'search', org, { most: 3, mostOfOrg: 2 });
  const [first, second] = [take('acme'), take('acme')];
  assert.ok(first !== null && second !== null);
  assert.equal(take('acme'), null);
  const other = take('other');
  assert.ok(other !== null);
  assert.equal(take('third'), null, 'all places are taken');
  first();
  const third = take('third');
  assert.ok(third !== null);
  for (const leave of [second, other, third]) leave();
  assert.equal(busy.size, 0);
});

test('downloads: an account has few, the people of an organization together some, and others always find a place', () => {
  const busy = new Set<string>();
  const takeAll = (one: Parameters<typeof takeDownload>[1]) => {
    const leave: (() => void)[] = [];
    for (;;)
      try {
        leave.push(takeDownload(busy, one));
      } catch {
        return leave;
      }
  };
  const ofOne = takeAll({ org: 'acme', account: 'ann' });
  assert.equal(ofOne.length, 4);
  const ofMany = Array.from({ length: 50 }, (_, n) => takeAll({ org: 'acme', account: `account${n}` })).flat();
  const ofTokens = takeAll({ org: 'acme' });
  assert.deepEqual([ofMany.length, ofTokens.length], [2, 0]);
  const ofServer = Array.from({ length: 9 }, (_, n) => takeAll({ org: null, account: `operator${n}` })).flat();
  assert.equal(ofServer.length, 12);
  assert.equal(takeAll({ org: 'other' }).length, 6);
  for (const leave of [...ofOne, ...ofMany, ...ofServer]) leave();
  assert.equal([...busy].filter((place) => place.includes('acme')).length, 0);
});

test('a place that is given back twice frees no place of another', () => {
  const busy = new Set<string>();
  const first = takePlace(busy, 'search', 1)!;
  first();
  const second = takePlace(busy, 'search', 1)!;
  first();
  assert.equal(takePlace(busy, 'search', 1), null);
  second();
  assert.equal(busy.size, 0);
});

const limits = { mostWaitingOfOrg: 3, mostWaiting: 5, longestMs: 60_000, message: 'busy' };

test('organizations take turns, and one turn is under way at a time', async () => {
  const turns = createTurns(limits);
  const began: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (org: string) =>
    turns.wait(org).then((end) => {
      began.push(org);
      ends.push(end);
    });
  const all = [ask('acme'), ask('acme'), ask('acme'), ask('other'), ask('acme'), ask('third')];
  await assert.rejects(turns.wait('fourth'), { code: 'unavailable' });
  for (const expected of [1, 2, 3, 4, 5, 6]) {
    await new Promise(setImmediate);
    assert.equal(began.length, expected);
    ends.at(-1)!();
    ends.at(-1)!();
  }
  await Promise.all(all);
  assert.deepEqual(began, ['acme', 'other', 'third', 'acme', 'acme', 'acme']);
  (await turns.wait('acme'))();
});

test('of one organization few wait, and none waits for ever', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const turns = createTurns({ ...limits, mostWaitingOfOrg: 1 });
  const end = await turns.wait('acme');
  const late = assert.rejects(turns.wait('acme'), { code: 'unavailable', message: 'busy' });
  await assert.rejects(turns.wait('acme'), { code: 'unavailable' });
  t.mock.timers.tick(60_000);
  await late;
  const next = turns.wait('other');
  end();
  (await next)();
});

test('content that is read to its end, or given up, gives its place back', async () => {
  const busy = new Set<string>();
  async function* pieces() {
    yield 1;
    yield 2;
  }
  const open = () => holding(pieces(), takeShare(busy, 'x', 'acme', { most: 1, mostOfOrg: 1 })!);
  for await (const _ of open());
  assert.equal(busy.size, 0);
  const left = open();
  await left.next();
  assert.equal(busy.size, 2);
  await left.return(undefined);
  assert.equal(busy.size, 0);
  await open().return(undefined);
  assert.equal(busy.size, 0, 'content that nobody began to read');
  const work = inOnePlace(busy, 'proof', () => new Promise<void>(setImmediate));
  await assert.rejects(
    inOnePlace(busy, 'proof', async () => {}),
    /another proof is under way/,
  );
  await work;
  await inOnePlace(busy, 'proof', async () => {});
});
