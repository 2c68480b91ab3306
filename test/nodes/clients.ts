/** The clients of a round: each uploads for one organization to its node, and to another one while that is away. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { upload } from '../crash/clients.js';
import type { Ledger } from '../crash/ledger.js';
import type { TestNode } from './node.js';
import type { WorkOfBuilds } from './work.js';

export interface Sender {
  org: string;
  privateKey: string;
  ledger: Ledger;
}

export interface Traffic {
  nodes: readonly TestNode[];
  senders: readonly Sender[];
  work: WorkOfBuilds;
  /** A sequence for one client. */
  randomOf(client: number): () => number;
  /** Files of an organization that wait for their import. */
  countWaiting(org: string): number;
  mayGoOn(): boolean;
}

const clientsOfNode = 2;
const mostWaiting = 8;
/** Then a client looks whether its own node is back: else a node that was away could get no upload any more. */
const filesElsewhere = 10;
/** A call that ssh2 leaves without an answer when its connection dies. */
const patienceMs = 45_000;

/** Every organization has clients at every node, or at most of them. Resolves when all of them have stopped. */
export async function runClients(traffic: Traffic): Promise<void> {
  const { nodes, senders } = traffic;
  const homes = nodes.flatMap((_, n) => Array.from({ length: clientsOfNode }, () => n));
  await Promise.all(homes.map((home, k) => runClient(traffic, k, home, senders[k % senders.length]!)));
}

async function runClient(traffic: Traffic, k: number, home: number, sender: Sender): Promise<void> {
  const { nodes, work, randomOf, countWaiting, mayGoOn } = traffic;
  const random = randomOf(k);
  const name = `${sender.org}-${nodes[home]!.name}${k}`;
  for (let session = 0; mayGoOn(); session++) {
    const node = nodes[(home + (session % 3 === 2 ? 1 : 0)) % nodes.length]!;
    const { build } = node;
    const port = node.served?.port;
    if (port === undefined) {
      await sleep(200);
      continue;
    }
    const client = openClient(name);
    try {
      await inTime(connect(client, port, sender));
      for (let file = 0; mayGoOn() && (node === nodes[home] || file < filesElsewhere); file++) {
        while (countWaiting(sender.org) > mostWaiting && mayGoOn()) await sleep(50);
        if (!mayGoOn()) break;
        await inTime(upload(client, `${name}-${session}-${file}`, sender.ledger, random));
        work.noteUpload(build);
      }
    } catch {
      // Whatever had no answer promises nothing.
      await sleep(200);
    } finally {
      await close(client);
    }
  }
}

/** What each client may see at the end: its own organization alone, which its key alone opens. */
export async function checkClients(nodes: readonly TestNode[], senders: readonly Sender[]): Promise<void> {
  for (const [n, sender] of senders.entries()) {
    const { port } = nodes[n % nodes.length]!.served!;
    const others = senders.filter(({ org }) => org !== sender.org);
    const client = openClient(`${sender.org}-look`);
    await connect(client, port, sender);
    await look(client, '/', (path, text) => {
      for (const { org } of others)
        assert.ok(!path.includes(org) && !text.includes(`${org}.test`), `${sender.org} sees ${path}, of ${org}`);
    });
    await close(client);
    const stranger = openClient(`${sender.org}-stranger`);
    const { privateKey } = others[0]!;
    await assert.rejects(
      connect(stranger, port, { ...sender, privateKey }),
      /authentication/,
      'the key of another one',
    );
    await close(stranger);
  }
}

async function look(client: SftpClient, folder: string, at: (path: string, text: string) => void): Promise<void> {
  for (const { name, type } of await client.list(folder)) {
    const path = `${folder === '/' ? '' : folder}/${name}`;
    if (type === 'd') await look(client, path, at);
    else at(path, String(await client.get(path)));
  }
}

function openClient(name: string): SftpClient {
  const quiet = () => {};
  const client = new SftpClient(name, { error: quiet, end: quiet, close: quiet });
  client.on('error', quiet);
  return client;
}

function connect(client: SftpClient, port: number, { org, privateKey }: Omit<Sender, 'ledger'>): Promise<unknown> {
  return client.connect({ host: '127.0.0.1', port, username: org, privateKey });
}

async function close(client: SftpClient): Promise<void> {
  await Promise.race([client.end().catch(() => {}), sleep(1_000)]);
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const patience = new AbortController();
  const late = sleep(patienceMs, undefined, { signal: patience.signal }).then(() => {
    throw new Error('no answer');
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    patience.abort();
    work.catch(() => {});
  }
}
