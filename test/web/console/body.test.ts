/** Forms: bounded in size, in time and in number, so that no customer or stranger fills the memory of the process. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { openTestConsole, origin, type Person } from '../../support/console.js';

const own = { origin, 'sec-fetch-site': 'same-origin' };
const multipart = 'multipart/form-data; boundary=x';
const html = async (answer: Response) => ({ status: answer.status, text: await answer.text() });

/** A body that begins, and goes on when the test says so. */
function slowBody(): { body: ReadableStream; end(): void } {
  let stop = () => {};
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from('--x\r\n'));
      stop = () => controller.close();
    },
  });
  return { body, end: () => stop() };
}

test('only the form of a check may have the size of a file; a stranger can not send one', async (t) => {
  const { app, person } = await openTestConsole(t);
  const body = Buffer.alloc(300 * 1024, 'a');
  const send = async (path: string, type: string, cookie = '') =>
    html(
      await app.request(
        origin + path,
        { method: 'POST', body, headers: { ...own, 'content-type': type, cookie } },
        { incoming: { socket: { remoteAddress: '192.0.2.1' } } },
      ),
    );
  for (const path of ['/sign-in', '/invitation/x'])
    for (const type of [multipart, 'application/x-www-form-urlencoded']) {
      const { status, text } = await send(path, type);
      // An invitation that does not exist is refused before its form is read.
      assert.equal(status, path === '/sign-in' ? 400 : 404);
      if (path === '/sign-in') assert.match(text, type === multipart ? /unknown encoding/ : /may have 256 KiB at most/);
    }
  const { cookie } = await person('admin', 'acme');
  const asAdmin = (path: string) => send(path, multipart, `dropslot=${cookie}`);
  assert.match((await asAdmin('/orgs/acme/connection/keys')).text, /unknown encoding/);
  assert.match((await asAdmin('/orgs/acme/check')).text, /the form arrived incomplete/);
});

test('one file of an organization arrives at a time, and four of all; a slow one is refused after a minute', async (t) => {
  const { app, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const chief = await person('admin', 'acme');
  const neighbour = await person('admin', 'other');
  const send = (one: Person, org: string, body: ReadableStream | Buffer, more: Record<string, string> = {}) =>
    app.request(
      `${origin}/orgs/${org}/check`,
      {
        ...{ method: 'POST', body, duplex: 'half' },
        headers: { ...own, 'content-type': multipart, cookie: `dropslot=${one.cookie}`, ...more },
      } as RequestInit,
      { incoming: { socket: { remoteAddress: '192.0.2.1' } } },
    );
  const whole = Buffer.from('--x--\r\n');
  const first = slowBody();
  const begun = send(admin, 'acme', first.body);
  const refused = await waitForBusy(async () => html(await send(chief, 'acme', whole)));
  assert.equal(refused.status, 422);
  // The neighbour's form is read, and lacks the token of its session.
  assert.match((await html(await send(neighbour, 'other', whole))).text, /out of date/);
  first.end();
  assert.match((await html(await begun)).text, /arrived incomplete/);
  assert.match((await html(await send(chief, 'acme', whole))).text, /out of date/);

  const tooLarge = await html(await send(admin, 'acme', whole, { 'content-length': String(20 * 1024 * 1024) }));
  assert.match(tooLarge.text, /the file may have 10 MiB at most; upload it by SFTP below \/dry-run/);

  const owner = await person('owner');
  const slots = ['north', 'south', 'east', 'west'].map((org) => ({ org, ...slowBody() }));
  for (const { org } of slots) {
    const made = { id: org, name: org, owner: `owner@${org}.test`, slot: '02:00', zone: 'UTC' };
    assert.equal((await owner.post('/new', made)).status, 303);
  }
  const arriving = slots.map(({ org, body }) => send(owner, org, body));
  await waitForBusy(async () => html(await send(neighbour, 'other', whole)));
  for (const { end } of slots) end();
  for (const answer of arriving) assert.match((await html(await answer)).text, /arrived incomplete/);
  assert.match((await html(await send(neighbour, 'other', whole))).text, /out of date/);

  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const slow = slowBody();
  const late = send(admin, 'acme', slow.body);
  await waitForBusy(async () => html(await send(chief, 'acme', whole)));
  mock.timers.tick(60_000);
  assert.match((await html(await late)).text, /the form did not arrive within 60 s/);
  slow.end();
  assert.match((await html(await send(chief, 'acme', whole))).text, /out of date/);
});

/** Until the form that was sent before is being read. */
async function waitForBusy<T extends { text: string }>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (/Another file is checked now/.test(answer.text)) return answer;
  }
}
