/** Clients that upload without a pause, each in its own way, until their server dies; the ledger keeps what they were told. */
import SftpClient from 'ssh2-sftp-client';
import type { Ledger, Sent } from './ledger.js';

export interface Account {
  port: number;
  privateKey: string;
}

export interface Surroundings {
  ledger: Ledger;
  random: () => number;
  /** Resolves when the next file may be sent; rejects when the server is dead. */
  turn: () => Promise<void>;
  /** Whether the server is dead, or is in a moment. */
  isDying: () => Promise<boolean>;
  /** Rejects when the server has been dead for a while: ssh2 leaves some calls without an answer when its connection dies. */
  gone: Promise<never>;
}

/** Resolves when the connection is gone. Rejects when the server refuses what it must take. */
export async function runClient(
  name: string,
  account: Account,
  { ledger, random, turn, isDying, gone }: Surroundings,
): Promise<void> {
  const quiet = () => {};
  const client = new SftpClient(name, { error: quiet, end: quiet, close: quiet });
  client.on('error', quiet);
  try {
    await Promise.race([client.connect({ host: '127.0.0.1', username: 'acme', ...account }), gone]);
    for (let file = 0; ; file++) {
      await turn();
      await Promise.race([upload(client, `${name}-${file}`, ledger, random), gone]);
    }
  } catch (error) {
    // What ends a client is told apart from what a living server answers.
    if (!(await isDying())) throw new Error(`client ${name}: ${(error as Error).message}`, { cause: error });
  } finally {
    await Promise.race([client.end(), gone]).catch(quiet);
  }
}

export async function upload(client: SftpClient, name: string, ledger: Ledger, random: () => number): Promise<void> {
  const way = random();
  if (way < 0.4) await put(client, ledger.begin(`/${name}.csv`, null, random));
  // Many versions of few paths, also of one that all clients write to at once.
  else if (way < 0.65) await put(client, ledger.begin(`/same-${Math.floor(random() * 3)}.csv`, null, random));
  else if (way < 0.9) await putAndRename(client, ledger.begin(`/${name}.csv`, `/${name}.csv.filepart`, random));
  else await putAndRename(client, ledger.begin('/same-0.csv', `/.${name}.tmp`, random));
}

async function put(client: SftpClient, sent: Sent): Promise<void> {
  await client.put(sent.content, sent.temporary ?? sent.path);
  sent.state = sent.temporary === null ? 'acknowledged' : 'stored';
}

async function putAndRename(client: SftpClient, sent: Sent): Promise<void> {
  await put(client, sent);
  sent.state = 'renaming';
  await client.posixRename(sent.temporary!, sent.path);
  sent.state = 'acknowledged';
}
