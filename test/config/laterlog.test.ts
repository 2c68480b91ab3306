/** A line of the log that may wait: it comes after the answer, in its order, and also when the process exits at once. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LaterLog } from '../../config/laterlog.js';

test('lines are written after the answer of the same turn and of the next one, in their order', async () => {
  const order: string[] = [];
  const later = new LaterLog({ info: (message: string) => order.push(message) } as never);
  const listeners = process.listenerCount('exit');
  later.info('one', {});
  later.info('two', {});
  setImmediate(() => order.push('answer'));
  assert.deepEqual(order, []);
  await nextTurn();
  assert.deepEqual(order, ['answer']);
  await nextTurn();
  assert.deepEqual(order, ['answer', 'one', 'two']);
  later.info('three', {});
  await nextTurn();
  await nextTurn();
  assert.equal(order.at(-1), 'three');
  assert.equal(process.listenerCount('exit'), listeners);
});

test('a process that exits at once writes its lines', async () => {
  const module = (name: string) =>
    JSON.stringify(fileURLToPath(new URL(`../../dist/config/${name}.js`, import.meta.url)));
  const script = `
    import { LaterLog } from ${module('laterlog')};
    import { createLogger } from ${module('logger')};
    new LaterLog(createLogger({ logLevel: 'info', logFormat: 'json' })).info('the last line', { n: 1 });
    process.exit(0);`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  assert.match(stderr, /"message":"the last line","n":1/);
});
