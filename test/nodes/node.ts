/** One node of a test: `dropslot serve` of one build or another, behind its own network, with its own clock. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LogLine, type Served, startServe } from '../support/program.js';
import type { StoreProxy } from '../support/swift.js';
import type { TcpProxy } from '../support/tcpproxy.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { type Build, thisBuild } from './build.js';

export const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** Why a test is skipped; false: it is there. */
export const lacksFaketime = existsSync(faketime) ? false : 'needs libfaketime (Debian package: faketime)';

export const leaseSeconds = 6;
/** Of a start that fails while the database is away; PgBouncer tries one that was away only every 15 seconds. */
const startMs = 120_000;

export interface NodePlan {
  name: string;
  /** At first. */
  build: Build;
  /** How far its clock is ahead at first. */
  skewSeconds: number;
  /** Processes that speak SSH. */
  workers: number;
  /** Whether PgBouncer is between it and the database. */
  isPooled: boolean;
}

/** Where a node is, and what it reaches. */
export interface Surroundings {
  /** The data folder: shared by all nodes, or its own one where an object store has the files. */
  data: string;
  /** Settings of the store. */
  env: Record<string, string>;
  /** Of the database that this round uses, on the server behind the proxy. */
  database: string;
  proxy: TcpProxy;
  /** null: no store. */
  store: StoreProxy | null;
}

export class TestNode {
  served: Served | null = null;
  /** That it runs, or will run from its next start on. */
  build: Build;
  /** Of each of its servers so far, by its process. */
  readonly builds = new Map<number, Build>();
  /** The lines of servers that have ended. */
  readonly log: LogLine[] = [];
  readonly #clock: string;

  constructor(
    scope: Scope,
    readonly plan: NodePlan,
    readonly place: Surroundings,
  ) {
    this.build = plan.build;
    this.#clock = join(temporaryFolder(scope), 'clock');
    this.setClock(plan.skewSeconds);
  }

  get name(): string {
    return this.plan.name;
  }

  get proxy(): TcpProxy {
    return this.place.proxy;
  }

  get store(): StoreProxy | null {
    return this.place.store;
  }

  get isUp(): boolean {
    return this.served !== null;
  }

  /** All of its processes have that time within a second. */
  setClock(aheadSeconds: number): void {
    writeFileSync(`${this.#clock}.new`, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`);
    renameSync(`${this.#clock}.new`, this.#clock);
  }

  async start(scope: Scope): Promise<void> {
    const { build } = this;
    const { data, env, database, proxy } = this.place;
    const { workers, isPooled } = this.plan;
    const served = await startServe(scope, {
      data,
      ...(build.entry !== undefined && { entry: build.entry }),
      env: {
        ...env,
        DROPSLOT_DATABASE: proxy.through(database),
        DROPSLOT_LEASE_SECONDS: `${leaseSeconds}`,
        DROPSLOT_IMPORTERS: '2',
        DROPSLOT_MAX_CREATIONS: '1000000',
        // The version before has no workers.
        ...(workers > 1 && build === thisBuild && { DROPSLOT_WORKERS: `${workers}` }),
        ...(isPooled && { DROPSLOT_DATABASE_POOLER: 'transaction' }),
        LD_PRELOAD: faketime,
        FAKETIME_TIMESTAMP_FILE: this.#clock,
        FAKETIME_CACHE_DURATION: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    this.served = served;
    this.builds.set(served.pid, build);
    void served.exited.then(() => {
      this.log.push(...served.log);
      if (this.served === served) this.served = null;
    });
  }

  /** It does not start while its database is away. */
  async startAgain(scope: Scope): Promise<void> {
    for (const deadline = performance.now() + startMs; ; await sleep(500))
      try {
        return await this.start(scope);
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
  }

  /** Of the server and its processes. */
  signal(signal: NodeJS.Signals): void {
    if (this.served === null) return;
    for (const pid of withDescendants(this.served.pid)) send(signal, pid);
  }

  /** One of its processes besides the server; `module`: of those that run this one. */
  killPart(random: () => number, module = ''): void {
    if (this.served === null) return;
    const parts = withDescendants(this.served.pid).slice(1);
    const possible = parts.filter((pid) => commandOf(pid).includes(module));
    const victim = possible[Math.floor(random() * possible.length)];
    if (victim !== undefined) send('SIGKILL', victim);
  }

  /** In order, and with success. */
  async stop(): Promise<void> {
    const { served } = this;
    if (served !== null) assert.equal(await served.stop(), 0, `${this.name} stops by itself`);
  }

  async kill(): Promise<void> {
    const { served } = this;
    if (served === null) return;
    this.signal('SIGKILL');
    await served.exited;
  }
}

function send(signal: NodeJS.Signals, pid: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function withDescendants(root: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const entry of readdirSync('/proc'))
    if (/^\d+$/.test(entry))
      try {
        const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${entry}/stat`, 'utf8')) ?? [];
        childrenOf.set(Number(parent), [...(childrenOf.get(Number(parent)) ?? []), Number(entry)]);
      } catch {
        // It has ended meanwhile.
      }
  const found = [root];
  for (let at = 0; at < found.length; at++) found.push(...(childrenOf.get(found[at]!) ?? []));
  return found;
}

/** Empty: it has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
