/** WinSCP, which needs Windows: what it sends, sent in its place by a client that says exactly what it is told. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { PacketWriter } from '../../../server/sftp/codec.js';
import type { Ran } from '../../support/peers.js';
import { openFor, type Status, statusIn, Wire } from '../../support/wire.js';
import type { Client, Running, Step } from '../client.js';
import type { Seat } from '../seat.js';

const request = { init: 1, write: 6, setstat: 9, readdir: 12, remove: 13, mkdir: 14, realpath: 16 };
const dataReply = 103;
const blockBytes = 32_768;
const inFlight = 16;
/** Larger files it could resume: they get a temporary name. */
const resumableBytes = 102_400;

async function put(wire: Wire, from: string, to: string): Promise<void> {
  const content = readFileSync(from);
  const isThere = 'size' in (await wire.stat(to));
  const target = content.length > resumableBytes ? `${to}.filepart` : to;
  await write(wire, target, openFor.write | openFor.create | openFor.truncate, content, 0);
  if (target !== to) {
    if (isThere) await remove(wire, to);
    expectOk(await wire.rename(target, to));
  }
  await setAttributes(wire, to, statSync(from).mtimeMs, 0o644);
}

async function resume(wire: Wire, from: string, to: string): Promise<void> {
  // Neither append nor truncate: it names the offset at which it goes on.
  await write(wire, `${to}.filepart`, openFor.write, readFileSync(from), await sizeOf(wire, `${to}.filepart`));
  expectOk(await wire.rename(`${to}.filepart`, to));
  await setAttributes(wire, to, statSync(from).mtimeMs, 0o644);
}

/** Asks its user first, and then makes room. */
async function rename(wire: Wire, from: string, to: string): Promise<void> {
  if ('size' in (await wire.stat(to))) await remove(wire, to);
  expectOk(await wire.rename(from, to));
}

async function putTree(wire: Wire, from: string, to: string): Promise<void> {
  if (!('size' in (await wire.stat(to))))
    expectOk(statusIn(await wire.ask(request.mkdir, (packet) => packet.string(to).u32(0))));
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory()) await putTree(wire, source, target);
    else await put(wire, source, target);
  }
}

async function write(wire: Wire, path: string, flags: number, content: Buffer, from: number): Promise<void> {
  const handle = await wire.open(path, flags);
  let unanswered = 0;
  const settle = async () => {
    unanswered--;
    expectOk(statusIn(await wire.receive()));
  };
  for (let at = from; at < content.length; at += blockBytes) {
    const block = content.subarray(at, at + blockBytes);
    wire.send(request.write, (packet) => packet.string(handle).u64(at).string(block));
    if (++unanswered === inFlight) await settle();
  }
  while (unanswered > 0) await settle();
  expectOk(await wire.close(handle));
}

async function read(wire: Wire, path: string): Promise<Buffer> {
  const content = Buffer.alloc(await sizeOf(wire, path));
  const handle = await wire.open(path, openFor.read);
  const offsets = new Map<number, number>();
  const settle = async () => {
    const { id, type, body } = await wire.receive();
    assert.equal(type, dataReply);
    body.string().copy(content, offsets.get(id)!);
    offsets.delete(id);
  };
  for (let at = 0; at < content.length; at += blockBytes) {
    const length = Math.min(blockBytes, content.length - at);
    const id = wire.send(5, (packet) => packet.string(handle).u64(at).u32(length));
    offsets.set(id, at);
    if (offsets.size === inFlight) await settle();
  }
  while (offsets.size > 0) await settle();
  expectOk(await wire.close(handle));
  return content;
}

async function list(wire: Wire, folder: string): Promise<string> {
  const { body: resolved } = await wire.ask(request.realpath, (packet) => packet.string(folder));
  resolved.u32();
  const handle = await wire.openFolder(resolved.string().toString());
  const names: string[] = [];
  for (;;) {
    const { type, body } = await wire.ask(request.readdir, (packet) => packet.string(handle));
    if (type !== 104) break;
    for (let left = body.u32(); left > 0; left--) {
      names.push(body.string().toString());
      body.string();
      const flags = body.u32();
      assert.equal(flags & 0b1101, 0b1101, 'each entry has its size, permissions and times');
      body.u64();
      for (let field = (flags & 0b0010) > 0 ? -2 : 0; field < 3; field++) body.u32();
    }
  }
  expectOk(await wire.close(handle));
  return names.join('\n');
}

async function remove(wire: Wire, path: string): Promise<void> {
  expectOk(statusIn(await wire.ask(request.remove, (packet) => packet.string(path))));
}

/** Permissions and times. */
async function setAttributes(wire: Wire, path: string, mtimeMs: number, mode: number): Promise<void> {
  const seconds = Math.floor(mtimeMs / 1000);
  const answer = await wire.ask(request.setstat, (packet) =>
    packet.string(path).u32(0b1100).u32(mode).u32(seconds).u32(seconds),
  );
  expectOk(statusIn(answer));
}

async function sizeOf(wire: Wire, path: string): Promise<number> {
  const answer = await wire.stat(path);
  if ('size' in answer) return answer.size;
  throw new Error(answer.sentence);
}

function expectOk({ code, sentence }: Status): void {
  if (code !== 0) throw new Error(sentence);
}

async function perform(wire: Wire, step: Step): Promise<string> {
  if (step.do === 'put') await put(wire, step.from, step.to);
  else if (step.do === 'resume') await resume(wire, step.from, step.to);
  else if (step.do === 'rename') await rename(wire, step.from, step.to);
  else if (step.do === 'putTree') await putTree(wire, step.from, step.to);
  else if (step.do === 'get') writeFileSync(step.to, await read(wire, step.from));
  else return list(wire, step.folder);
  return '';
}

interface Line {
  client: ssh2.Client;
  /** After INIT, in which WinSCP asks for version 6. */
  wire: Promise<Wire>;
  /** Rejects when the connection ends. */
  dead: Promise<never>;
}

function call(seat: Seat): Line {
  const client = new ssh2.Client();
  const dead = new Promise<never>((_resolve, reject) => {
    client.once('error', reject).once('close', () => reject(new Error('the connection was closed')));
  });
  dead.catch(() => {});
  const open = async () => {
    const channel = new Promise<ssh2.Channel>((resolve, reject) => {
      client.once('ready', () =>
        client.subsys('sftp', (error, stream) => (error === undefined ? resolve(stream) : reject(error))),
      );
    });
    const wire = new Wire(await Promise.race([channel, dead]));
    wire.sendBytes(new PacketWriter(request.init).u32(6).finish());
    await wire.receive();
    return wire;
  };
  const { host, port, org: username } = seat;
  client.connect({ host, port, username, privateKey: readFileSync(seat.keyFile), ident: 'WinSCP_release_6.3.5' });
  return { client, wire: open(), dead };
}

function start(seat: Seat, steps: readonly Step[]): Running {
  const line = call(seat);
  const run = async (): Promise<Ran> => {
    let stdout = '';
    try {
      const wire = await line.wire;
      for (const step of steps) stdout += await Promise.race([perform(wire, step), line.dead]);
      return { code: 0, stdout, stderr: '' };
    } catch (error) {
      return { code: 1, stdout, stderr: (error as Error).message };
    } finally {
      line.client.end();
    }
  };
  return { kill: () => void line.client.destroy(), ended: run() };
}

async function onWire(seat: Seat, use: (wire: Wire) => Promise<void>): Promise<void> {
  const line = call(seat);
  try {
    await Promise.race([use(await line.wire), line.dead]);
  } finally {
    line.client.end();
  }
}

export const client: Client = {
  name: 'WinSCP',
  missing: false,
  version: () => 'replayed',
  key: 'ed25519',
  // How it logs in is not replayed.
  keys: [],
  suffix: '.filepart',
  unable: {},
  start,
  specials: {
    'it asks for SFTP version 6, and continues with version 3': (seat) =>
      onWire(seat, async (wire) => assert.ok('size' in (await wire.stat('/')))),
    '`….csv.filepart` is not queued, `….csv` is after its RENAME, once; times and permissions come after that': async (
      seat,
    ) => {
      const content = randomBytes(300_000);
      const waiting = async () => (await seat.queued()).filter(({ path }) => path.startsWith('/w.csv'));
      await onWire(seat, async (wire) => {
        await write(wire, '/w.csv.filepart', openFor.write | openFor.create | openFor.truncate, content, 0);
        assert.deepEqual(await waiting(), []);
        expectOk(await wire.rename('/w.csv.filepart', '/w.csv'));
        await setAttributes(wire, '/w.csv', 1_700_000_123_000, 0o600);
      });
      await seat.expectQueued('/w.csv', content);
      assert.equal((await waiting()).length, 1);
      const { mode, mtimeMs } = await seat.entry('/w.csv');
      assert.deepEqual({ mode, mtimeMs }, { mode: 0o600, mtimeMs: 1_700_000_123_000 });
    },
    'after CLOSE, STAT returns the size of the file, not of the stored bytes': (seat) =>
      onWire(seat, async (wire) => {
        await put(wire, seat.file('s.csv', randomBytes(70_000)), '/s.csv');
        assert.equal(await sizeOf(wire, '/s.csv'), 70_000);
      }),
  },
};
