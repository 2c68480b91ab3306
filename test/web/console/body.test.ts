/** Forms: bounded in size, in time and in number, so that no customer or stranger fills the memory of the process. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { mock, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openTestConsole, origin, type Person } from '../../support/console.js';
import { listen } from '../../support/listen.js';

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
      const [refused, reason] =
        type === multipart ? [415, /The form has an unknown/] : [413, /The form may have 256 KiB/];
      assert.equal(status, path === '/sign-in' ? refused : 404);
      if (path === '/sign-in') assert.match(text, reason);
    }
  const { cookie } = await person('admin', 'acme');
  const asAdmin = (path: string) => send(path, multipart, `dropslot=${cookie}`);
  assert.match((await asAdmin('/orgs/acme/connection/keys')).text, /unknown encoding/);
  assert.match((await asAdmin('/orgs/acme/check')).text, /The form arrived incomplete/);
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
  assert.equal(refused.status, 503);
  // The neighbour's form is read, and lacks the token of its session.
  assert.match((await html(await send(neighbour, 'other', whole))).text, /out of date/);
  first.end();
  assert.match((await html(await begun)).text, /arrived incomplete/);
  assert.match((await html(await send(chief, 'acme', whole))).text, /out of date/);

  const tooLarge = await html(await send(admin, 'acme', whole, { 'content-length': String(20 * 1024 * 1024) }));
  assert.equal(tooLarge.status, 413);
  assert.match(tooLarge.text, /The file may have 10 MiB at most; upload it by SFTP below \/dry-run/);

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
  assert.match((await html(await late)).text, /The form did not arrive within 60 s/);
  slow.end();
  assert.match((await html(await send(chief, 'acme', whole))).text, /out of date/);
});

test('a browser that is slow to send a file that is refused gets the reason, and no reset connection', async (t) => {
  const { app, person } = await openTestConsole(t, { url: null });
  const url = new URL(await listen(t, app));
  const { cookie } = await person('admin', 'acme');
  /** Sends the form during a second, as a browser does: it reads the answer at the end. */
  const send = async (path: string, bytes: number): Promise<string> => {
    const socket = connect(Number(url.port), url.hostname);
    // A reset is an error, also while the form is being sent.
    const ended = once(socket, 'end');
    ended.catch(() => {});
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    const headers = [`Host: ${url.host}`, `Origin: ${url.origin}`, `Cookie: dropslot=${cookie}`, 'Connection: close'];
    const form = [`Content-Type: ${multipart}`, `Content-Length: ${bytes}`];
    socket.write(`${[`POST ${path} HTTP/1.1`, ...headers, ...form].join('\r\n')}\r\n\r\n`);
    const part = Buffer.alloc(bytes / 16, 'a');
    for (let sent = 0; sent < bytes; sent += part.length) {
      assert.equal(socket.readableEnded || socket.destroyed, false, 'the connection ends before the form is sent');
      if (!socket.write(part)) await Promise.race([once(socket, 'drain'), ended]);
      await setTimeout(60);
    }
    await ended;
    return answer;
  };
  const tooLarge = await send('/orgs/acme/check', 16 * 1024 * 1024);
  assert.match(tooLarge, /^HTTP\/1.1 413 /);
  assert.match(tooLarge, /The file may have 10 MiB at most/);
  const both = await Promise.all([send('/orgs/acme/check', 1024 * 1024), send('/orgs/acme/check', 1024 * 1024)]);
  const [read, refused] = both.sort();
  assert.match(read!, /arrived incomplete/);
  assert.match(refused!, /^HTTP\/1.1 503 /);
  assert.match(refused!, /Another file is checked now/);
});

/** Until the form that was sent before is being read. */
async function waitForBusy<T extends { text: string }>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (/Another file is checked now/.test(answer.text)) return answer;
  }
}
