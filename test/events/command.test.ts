/** Commands: their input, environment, limits, exit codes, and the end of every process that they started. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Subscriber } from '../../db/control/eventsubscribers.js';
import { createCommandDeliverer } from '../../events/command/command.js';
import type { Batch } from '../../events/deliverer.js';
import { addHook } from '../../operations/hooks.js';
import { commandKind, testSubscriber } from '../../operations/subscribers.js';
import { openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

function script(t: TestContext, body: string) {
  const folder = temporaryFolder(t);
  const program = join(folder, 'hook.sh');
  writeFileSync(program, `#!/bin/sh\n${body}\n`);
  chmodSync(program, 0o755);
  return { folder, program };
}

const run = (options: Record<string, unknown>, signal = new AbortController().signal) => {
  const event = {
    id: 'evt_1',
    type: 'run.held',
    org: 'acme',
    at: '2026-02-01T00:00:00Z',
    version: 1 as const,
    data: { run: 1 },
  };
  const subscriber = { id: 's', org: null, options: { args: [], ...options } } as unknown as Subscriber;
  const batch: Batch = { id: 'evt_1', events: [event], body: event, subscriber };
  return createCommandDeliverer().deliver(batch, signal);
};

test('it gets the event on its standard input, its arguments unread by a shell, and a clean environment', async (t) => {
  const { folder, program } = script(t, 'cat > input.json; env | sort > env.txt; printf "%s\\n" "$@" > args.txt');
  const args = ['a b', '$(touch broken)', '; exit 1', '*'];
  assert.deepEqual(await run({ program, args }), { result: 'delivered', detail: 'exit code 0' });
  assert.equal(JSON.parse(readFileSync(join(folder, 'input.json'), 'utf8')).type, 'run.held');
  assert.equal(readFileSync(join(folder, 'args.txt'), 'utf8'), `${args.join('\n')}\n`);
  const names = readFileSync(join(folder, 'env.txt'), 'utf8')
    .split('\n')
    .map((line) => line.split('=')[0]);
  const own = names.filter((name) => !['', 'PWD', 'SHLVL', '_', 'OLDPWD'].includes(name!));
  assert.deepEqual(own, ['DROPSLOT_EVENT_ID', 'DROPSLOT_EVENT_ORG', 'DROPSLOT_EVENT_TYPE', 'LANG', 'PATH']);
  assert.ok(!existsSync(join(folder, 'broken')));
});

test('its exit code decides; a command that does not read its input is no failure', async (t) => {
  for (const [code, result] of [
    [0, 'delivered'],
    [10, 'delivered'],
    [1, 'failed'],
    [75, 'failed'],
  ] as const)
    assert.equal((await run({ program: script(t, `exit ${code}`).program })).result, result, String(code));
  assert.deepEqual(await run({ program: script(t, 'kill -TERM $$').program }), {
    result: 'failed',
    detail: 'ended by SIGTERM',
  });
  assert.equal((await run({ program: '/nowhere/hook', folder: '/' })).detail, 'could not be started (ENOENT)');
});

test('at its limits, and when the server stops, it ends with every process that it started', async (t) => {
  const hang = script(t, 'sleep 300 & echo $! > child; wait');
  const started = performance.now();
  assert.deepEqual(await run({ program: hang.program, timeLimitSeconds: 0.3 }), {
    result: 'failed',
    detail: 'ended after 0.3 s',
  });
  assert.ok(performance.now() - started < 10_000);
  const child = Number(readFileSync(join(hang.folder, 'child'), 'utf8'));
  await ended(child);
  assert.match((await run({ program: script(t, 'yes').program })).detail, /bytes of output/);
  const stopping = new AbortController();
  const attempt = run({ program: hang.program }, stopping.signal);
  stopping.abort();
  assert.equal((await attempt).result, 'failed');
  // A process in the background does not outlive the command that started it.
  const left = script(t, 'sleep 300 > /dev/null 2>&1 & echo $! > child');
  assert.equal((await run({ program: left.program })).result, 'delivered');
  await ended(Number(readFileSync(join(left.folder, 'child'), 'utf8')));
});

/** Resolves when a process is gone, or is a zombie that nobody has collected yet. */
async function ended(pid: number): Promise<void> {
  for (;;) {
    const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
    if (stat === '' || / Z /.test(stat)) return;
    await sleep(10);
  }
}

test('only programs with an absolute path are added', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, settings);
  for (const program of ['hook.sh', '/nowhere/hook', '/etc/passwd', '/'])
    await assert.rejects(addHook(place, { run: program, args: [] }), { code: 'usage' }, program);
  const { id } = await addHook(place, { run: script(t, 'exit 3').program, args: [] });
  assert.deepEqual(await testSubscriber(place, commandKind, id), { result: 'failed', detail: 'exit code 3' });
});
