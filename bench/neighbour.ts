/** Times the uploads and listings of a second organization, one by one, over an open session. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import type { Endpoint } from './client.js';
import { percentile } from './report.js';

const uploadBytes = 20_000;
/** Between two visits, so that they measure the import and do not slow it down. */
const pauseMs = 50;

export interface Latencies {
  /** Milliseconds each. */
  uploads: number[];
  listings: number[];
}

export interface Neighbour {
  /** Goes on uploading, listing, and (untimed) removing, one after the other, until `stop`. */
  begin(): { stop(): Promise<Latencies> };
  leave(): Promise<void>;
}

export async function openNeighbour(endpoint: Endpoint): Promise<Neighbour> {
  const client = new SftpClient();
  const { port, user: username } = endpoint;
  await client.connect({ host: '127.0.0.1', port, username, privateKey: await readFile(endpoint.privateKey) });
  const bytes = randomBytes(uploadBytes);
  const time = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  return {
    begin: () => {
      const latencies: Latencies = { uploads: [], listings: [] };
      let going = true;
      const visits = (async () => {
        while (going) {
          latencies.uploads.push(await time(() => client.put(bytes, '/neighbour.bin')));
          latencies.listings.push(await time(() => client.list('/')));
          await client.delete('/neighbour.bin');
          await sleep(pauseMs);
        }
      })();
      visits.catch(() => {}); // told by stop()
      return {
        stop: async () => {
          going = false;
          await visits;
          return latencies;
        },
      };
    },
    leave: async () => void (await client.end()),
  };
}

/** Milliseconds: count, median, 99th percentile, highest. */
export function summarizeLatencies(values: readonly number[]): string[] {
  return [
    String(values.length),
    ...[percentile(values, 50), percentile(values, 99), Math.max(...values)].map((ms) => ms.toFixed(1)),
  ];
}
