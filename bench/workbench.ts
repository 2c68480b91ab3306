/** Where a bench works: a folder that is gone afterwards, its flags, and the servers it may start. */
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dropslot, type Peer, startOpenssh, startOurs, startRclone } from './peers.js';

export const benchDatabases = ['sqlite', 'postgres'] as const;
export type BenchDatabase = (typeof benchDatabases)[number];

export interface Flags {
  /** MiB of the large file. */
  size: number;
  /** Of the large file. */
  ciphers: readonly string[];
  runs: number;
  sessions: number;
  /** Organizations that arrive together. */
  visits: number;
  files: number;
  rows: number[];
  /** Of the imports. */
  databases: readonly BenchDatabase[];
  /** Users of the company whose daily file is measured. */
  company: number;
  /** Folder for the plots; null: none are written. */
  plots: string | null;
}

export interface Workbench {
  folder: string;
  flags: Flags;
  say(text: string): void;
  /** Keeps a drawing, if any are wanted. */
  writePlot(name: string, svg: string): Promise<void>;
  /** A new Dropslot on a new data folder. */
  startOurs(): Promise<Dropslot>;
  /** A new Dropslot first, then every peer that is installed; what was skipped, as sentences. */
  withPeers(): Promise<{ peers: Peer[]; skipped: string[]; stop(): Promise<void> }>;
}

/** Memory where there is a file system of it, so that the disk is not what is measured. */
export const defaultPlace = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Runs `work`, and stops and removes whatever it left. */
export async function onWorkbench<T>(
  place: string,
  flags: Flags,
  say: (text: string) => void,
  work: (bench: Workbench) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(place, 'dropslot-bench-'));
  const clear = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once('exit', clear); // a signal leaves nothing in memory either
  const version = await readVersion();
  const running = new Set<Peer>();
  const keep = <P extends Peer | null>(peer: P): P => {
    if (peer === null) return peer;
    running.add(peer);
    const stop = async (): Promise<void> => {
      if (running.delete(peer)) await peer.stop();
    };
    return { ...peer, stop };
  };
  let started = 0;
  const startOne = async (): Promise<Dropslot> => keep(await startOurs(join(folder, `ours-${++started}`), version));
  const withPeers: Workbench['withPeers'] = async () => {
    const peers: Peer[] = [await startOne()];
    const skipped: string[] = [];
    for (const [name, start] of [['openssh', startOpenssh] as const, ['rclone', startRclone] as const]) {
      try {
        const peer = keep(await start(join(folder, `${name}-${++started}`)));
        if (peer === null) skipped.push(`Without ${name}: it is not installed here.`);
        else peers.push(peer);
      } catch (error) {
        skipped.push(`Without ${name}: ${(error as Error).message.replaceAll(folder, '…')}`);
      }
    }
    const stop = async (): Promise<void> => {
      for (const peer of peers) await peer.stop();
    };
    return { peers, skipped, stop };
  };
  const writePlot = async (name: string, svg: string): Promise<void> => {
    if (flags.plots !== null) await writeFile(join(flags.plots, name), svg);
  };
  try {
    return await work({ folder, flags, say, writePlot, startOurs: startOne, withPeers });
  } finally {
    for (const peer of running) await peer.stop();
    clear();
    process.off('exit', clear);
  }
}

export async function readVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
