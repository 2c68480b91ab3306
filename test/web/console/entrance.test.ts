/** The limits of attempts to sign in: strangers who guess from everywhere do not keep a person out of a browser that is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { createSilentLogger } from '../../../config/logger.js';
import { findPerson } from '../../../operations/accounts/people.js';
import { PasswordQueue } from '../../../operations/accounts/sessions.js';
import { createEntrance, enter } from '../../../web/console/entrance.js';
import type { Env } from '../../../web/console/guard.js';
import { openTestConsole, origin } from '../../support/console.js';

test('guesses from everywhere do not use up the attempts, nor the queue, of a known browser', async (t) => {
  const { place, clock, person } = await openTestConsole(t);
  const { email } = await person('owner');
  const { email: other } = await person('operator');
  const account = await findPerson(place, email);
  const app = new Hono<Env>();
  const passwords = new PasswordQueue();
  const deps = {
    workplace: place,
    version: '0',
    logger: createSilentLogger(),
    clock: () => clock.ms,
    url: origin,
    isSecure: false,
  };
  const { throttleAccount, throttleFlow } = createEntrance(app, deps, passwords);
  app.get('/try/:email', async (c) => {
    const { wait, queue } = await throttleAccount(c, c.req.param('email'));
    return c.json({ wait, isOwnQueue: queue === passwords });
  });
  app.get('/flow', (c) => c.json({ wait: throttleFlow(c) }));
  app.get('/enter', async (c) => {
    await enter(c, deps, { account, secret: 'x' });
    return c.body(null);
  });
  const get = (path: string, address: string, known = '') =>
    app.request(
      path,
      { headers: { cookie: `dropslot-known=${known}` } },
      { incoming: { socket: { remoteAddress: address } } },
    );
  const attempt = async (name: string, address: string, known?: string) =>
    (await (await get(`/try/${encodeURIComponent(name)}`, address, known)).json()) as {
      wait: number;
      isOwnQueue: boolean;
    };
  const signIn = async (known?: string) => {
    const cookies = (await get('/enter', '192.0.2.1', known)).headers.getSetCookie();
    return cookies.find((line) => line.startsWith('dropslot-known='))!.split(/[=;]/)[1]!;
  };
  const first = await signIn();
  // In forms of writing that find the same account.
  for (const name of [email, other])
    for (let n = 0; n < 30; n++)
      assert.equal((await attempt(n % 2 === 0 ? name : ` ${name.toUpperCase()} `, `198.51.100.${n}`)).wait, 0);
  for (const known of ['', 'A'.repeat(43), 'x'])
    assert.deepEqual(await attempt(email, '198.51.100.99', known), { wait: 2, isOwnQueue: false });
  assert.deepEqual(await attempt(email, '198.51.100.1', first), { wait: 0, isOwnQueue: true });
  const second = await signIn(first);
  assert.ok((await attempt(email, '192.0.2.1', first)).wait > 0, 'the cookie of before is of no use');
  assert.ok((await attempt(other, '192.0.2.1', second)).wait > 0, 'it is known for its own account alone');
  for (let n = 0; n < 6; n++) assert.equal((await attempt(email, '192.0.2.1', second)).wait, 0);
  assert.equal((await attempt(email, '192.0.2.1', second)).wait, 10, 'a known browser guesses no faster');
  const stored = JSON.stringify(await place.control.read('account_browsers'));
  assert.ok(!stored.includes(second));
  clock.ms += 60_000;
  clock.now += 366 * 86_400_000;
  assert.equal((await attempt(email, '192.0.2.1', second)).isOwnQueue, false, 'a year later it is a stranger');

  clock.ms += 60_000;
  const flows = [];
  for (let n = 0; n < 700; n++)
    flows.push(((await (await get('/flow', `10.0.${n >> 8}.${n & 255}`)).json()) as { wait: number }).wait);
  assert.equal(flows.filter((wait) => wait === 0).length, 600, 'the rows that strangers cause are bounded');
});
