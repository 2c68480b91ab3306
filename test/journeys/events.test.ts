/** Events as an operator sees them: a webhook and a hook of a running server, over a kill; the commands and their JSON. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';
import { receiveWebhooks } from '../support/webhookreceiver.js';

interface Event {
  id: string;
  type: string;
  org: string | null;
}

test('a webhook and a hook get the events of a server, also after it was killed', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const { received, url } = await receiveWebhooks(t);
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>(args, { data });
  const until = async (is: () => boolean) => {
    for (let tries = 0; !is() && tries < 5000; tries++) await sleep(20);
    assert.ok(is());
  };
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test');
  const { secret } = await ask<{ id: string; secret: string }>(
    ...['webhooks', 'add', '--org', 'acme', '--url', url, '--types', 'org.*', '--allow-http', '--allow-private'],
  );
  const program = join(temporaryFolder(t), 'hook.sh');
  const output = `${program}.out`;
  writeFileSync(program, `#!/bin/sh\ncat >> ${output}; echo " $1" >> ${output}\n`);
  chmodSync(program, 0o755);
  await ask('hooks', 'add', '--types', 'org.changed', '--run', program, '--args', 'first');

  const first = await startServe(t, { data });
  await ask('orgs', 'set', 'acme', 'slot=03:00');
  await until(() => received.length === 1);
  await first.stop('SIGKILL');
  await ask('orgs', 'set', 'acme', 'slot=04:00');
  await startServe(t, { data });
  // The one before the kill may come again.
  const ofWebhook = () => [...new Set(received.map(({ body }) => (JSON.parse(body) as Event).id))];
  const ofHook = () => {
    const lines = existsSync(output) ? readFileSync(output, 'utf8').split('\n').slice(0, -1) : [];
    return [...new Set(lines.map((line) => (JSON.parse(line.replace(/ first$/, '')) as Event).id))];
  };
  await until(() => ofWebhook().length === 2 && ofHook().length === 2);
  const events = received.map(
    ({ body, request }) => new Webhook(secret).verify(body, request.headers as Record<string, string>) as Event,
  );
  assert.deepEqual(new Set(events.map(({ type }) => type)), new Set(['org.changed']));
  const listed = await ask<Event[]>('events', 'list', '--type', 'org.changed');
  const ids = listed.map(({ id }) => id);
  assert.deepEqual(ofWebhook(), ids);
  assert.deepEqual(ofHook(), ids);

  const list = await runDropslot(['webhooks', 'list', '--json'], { data });
  assert.ok(!list.stdout.includes(secret.slice(6)));
});
