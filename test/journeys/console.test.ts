/** The console of the built program: off by default, people by the command line, and one address with the API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { freePort } from '../support/sshd.js';
import { temporaryFolder } from '../support/temporary.js';

test('people are invited, listed, changed and removed by commands; the console shares the address of the API', async (t) => {
  const data = temporaryFolder(t);
  const address = `127.0.0.1:${await freePort()}`;
  const env = { DROPSLOT_CONSOLE: address, DROPSLOT_API: address };
  const at = { data, env };
  await runDropslot(['orgs', 'add', 'acme', '--owner', 'owner@acme.test', '--enable'], at);
  const invite = ['console', 'invite', 'hr@acme.test', '--role', 'admin'];
  const off = await runDropslot([...invite, '--org', 'acme'], { data });
  assert.equal(off.code, 2);
  assert.match(off.stderr, /the console is off: set console/);
  const noOrg = await runDropslot(invite, at);
  assert.match(noOrg.stderr, /the role admin is of one organization: name it with --org/);
  const { link } = await askDropslot<{ link: string }>([...invite, '--org', 'acme'], at);
  assert.ok(link.startsWith(`http://${address}/invitation/`));
  assert.equal((await runDropslot(['console', 'role', 'hr@acme.test', 'viewer'], at)).code, 0);
  const people = await askDropslot<{ email: string; role: string; isSet: boolean }[]>(['console', 'people'], at);
  assert.deepEqual(
    people.map(({ email, role, isSet }) => [email, role, isSet]),
    [['hr@acme.test', 'viewer', false]],
  );

  const server = await startServe(t, { data, env });
  await server.waitForLog(({ message }) => message === 'the HTTP API listens');
  const page = await fetch(link);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /For hr@acme\.test\./);
  assert.equal((await fetch(`http://${address}/api/v1/orgs`)).status, 401);
  assert.equal((await runDropslot(['console', 'remove', 'hr@acme.test'], at)).code, 0);
  assert.equal((await fetch(link)).status, 404);
  assert.equal(await server.stop(), 0);
  assert.ok(!JSON.stringify(server.log).includes('hr@acme.test'), 'the log has no address of a person');
});
