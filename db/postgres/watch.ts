/**
 * Ends connections to a database server that has gone without a word: the network was cut, or its machine stands still. A statement
 * that only takes long is left alone, since a second connection gets an answer meanwhile.
 */
import type pg from 'pg';
import { guardAnswers } from './answers.js';
import type { Connection } from './connect.js';

export interface ConnectionWatch {
  /** A statement was sent; the function that comes back is called at its end. */
  begin(connection: Connection): () => void;
  stop(): void;
}

export interface WatchTimes {
  everyMs: number;
  /** How long a statement waits before the server is asked whether it is there. */
  silentMs: number;
  /** The time for an answer. */
  answerMs: number;
}

const usual: WatchTimes = { everyMs: 5_000, silentMs: 10_000, answerMs: 5_000 };
/** So often in a row no server has answered. */
const mostFailures = 2;

export function watchConnections(
  Client: typeof pg.Client,
  urls: readonly string[],
  times: WatchTimes = usual,
): ConnectionWatch {
  const waiting = new Map<Connection, number>();
  let timer: NodeJS.Timeout | null = null;
  let failures = 0;
  let isAsking = false;

  const look = async () => {
    if (waiting.size === 0) {
      if (timer !== null) clearInterval(timer);
      timer = null;
      failures = 0;
      return;
    }
    const silent = [...waiting].filter(([, since]) => performance.now() - since > times.silentMs);
    if (silent.length === 0 || isAsking) return;
    isAsking = true;
    const answers = await Promise.all(urls.map((url) => answersIn(Client, url, times.answerMs)));
    isAsking = false;
    failures = answers.includes(true) ? 0 : failures + 1;
    if (failures < mostFailures) return;
    for (const [connection] of silent) if (waiting.has(connection)) cut(connection);
  };

  return {
    begin: (connection) => {
      waiting.set(connection, performance.now());
      timer ??= setInterval(() => void look(), times.everyMs).unref();
      return () => void waiting.delete(connection);
    },
    stop: () => {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };
}

async function answersIn(Client: typeof pg.Client, connectionString: string, answerMs: number): Promise<boolean> {
  const client = new Client({ connectionString, connectionTimeoutMillis: answerMs, query_timeout: answerMs });
  guardAnswers(client);
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch (error) {
    // A server that refuses is there.
    return typeof (error as { severity?: unknown }).severity === 'string';
  } finally {
    end(client);
  }
}

/** Without a wait for a server that does not answer. */
function end(client: pg.Client): void {
  streamOf(client)?.destroy();
}

/** Its statement fails as it does when the server ends the connection. */
function cut(connection: Connection): void {
  streamOf(connection)?.destroy(new Error('Connection terminated: the database server does not answer'));
}

function streamOf(client: pg.Client): { destroy(error?: Error): void } | undefined {
  return (client as unknown as { connection?: { stream?: { destroy(error?: Error): void } } }).connection?.stream;
}
