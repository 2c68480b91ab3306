/** Work that fails again and again because the machine fails: said once, with growing pauses, and its end is said too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startImporter } from '../../importer/importer.js';
import { createOutage, outagePause } from '../../importer/outage.js';
import { Company } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { keepingLogger } from '../support/session.js';

const refused = () => Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });

test('the pauses grow, and a fault is said once until it ends or changes', () => {
  const { logger, lines } = keepingLogger();
  const outage = createOutage('work on the next open run', logger);
  assert.deepEqual(
    Array.from({ length: 8 }, () => outage.begin(refused()) / 1000),
    [1, 2, 4, 8, 16, 32, 60, 60],
  );
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /could not work on the next open run; will retry with pauses that grow from 1 to 60 s/);
  outage.begin(Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' }));
  assert.equal(lines.length, 2);
  outage.end();
  assert.match(lines[2]!, /can work on the next open run again/);
  outage.end();
  assert.equal(lines.length, 3);
  assert.equal(outage.begin(refused()), 1_000);
  assert.equal(lines.length, 4);
});

test('a defect is said each time, after the same pause', () => {
  const { logger, lines } = keepingLogger();
  const outage = createOutage('work on the next open run', logger);
  for (let n = 1; n <= 3; n++) assert.equal(outage.begin(new TypeError('x is undefined')), 5_000);
  assert.equal(lines.length, 3);
});

test('pauses have a limit however long it lasts', () => assert.equal(outagePause(10_000), 60_000));

test('the claim itself fails while the database is away, and goes on by itself', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const { logger, lines } = keepingLogger();
  const { control } = acme.deps;
  let isAway = true;
  let tries = 0;
  const write = new Proxy(control.write, {
    apply: (target, self, args) => {
      tries++;
      if (isAway) throw refused();
      return Reflect.apply(target, self, args);
    },
  });
  const importer = startImporter({ ...acme.deps, control: { ...control, write }, logger });
  t.after(() => importer.stop());
  while (tries === 0) await sleep(5);
  isAway = false;
  importer.nudge();
  while (lines.length < 2) await sleep(5);
  assert.match(lines[0]!, /could not work on the next open run; will retry with pauses that grow/);
  assert.match(lines[1]!, /can work on the next open run again/);
});
