/** One node of a test: `dropslot serve` of one build or another, behind its own network to the database, with its own clock. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LogLine, type Served, startServe } from '../support/program.js';
import { startTcpProxy, type TcpProxy } from '../support/tcpproxy.js';
import type { Scope } from '../support/temporary.js';
import { type Build, thisBuild } from './build.js';

const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** Why a test is skipped; false: it is there. */
export const lacksFaketime = existsSync(faketime) ? false : 'needs libfaketime (Debian package: faketime)';

export interface NodeOptions {
  /** Shared by all nodes, or its own one where an object store has the files. */
  data: string;
  /** Settings that every node has. */
  env: Record<string, string>;
  /** Of the database that this round uses, on the server behind the proxy. */
  database: string;
  /** How far the clock of this node is ahead, in seconds. */
  skewSeconds: number;
  leaseSeconds: number;
}

export class TestNode {
  served: Served | null = null;
  /** That it runs, or will run from its next start on. */
  build: Build = thisBuild;
  /** Of each of its servers so far, by its process. */
  readonly builds = new Map<number, Build>();
  /** The lines of servers that have ended. */
  readonly log: LogLine[] = [];

  private constructor(
    readonly name: string,
    readonly proxy: TcpProxy,
    readonly options: NodeOptions,
  ) {}

  static async make(scope: Scope, name: string, targetPort: number, options: NodeOptions): Promise<TestNode> {
    return new TestNode(name, await startTcpProxy(scope, targetPort), options);
  }

  async start(scope: Scope): Promise<void> {
    const { build } = this;
    const { data, env, database, skewSeconds, leaseSeconds } = this.options;
    const clock: Record<string, string> =
      skewSeconds === 0
        ? {}
        : {
            LD_PRELOAD: faketime,
            FAKETIME: `${skewSeconds > 0 ? '+' : ''}${skewSeconds}s`,
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
          };
    this.served = await startServe(scope, {
      data,
      ...(build.entry !== undefined && { entry: build.entry }),
      env: {
        ...env,
        DROPSLOT_DATABASE: this.proxy.through(database),
        DROPSLOT_LEASE_SECONDS: `${leaseSeconds}`,
        DROPSLOT_IMPORTERS: '2',
        DROPSLOT_MAX_CREATIONS: '1000000',
        ...clock,
      },
    });
    const { served } = this;
    this.builds.set(served.pid, build);
    void served.exited.then(() => {
      this.log.push(...served.log);
      if (this.served === served) this.served = null;
    });
  }

  /** It does not start while its database is away. */
  async startAgain(scope: Scope): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.start(scope);
      } catch (error) {
        if (tries === 20) throw error;
        await sleep(500);
      }
    }
  }

  get isUp(): boolean {
    return this.served !== null;
  }

  /** Of the server and its processes. */
  signal(signal: NodeJS.Signals): void {
    if (this.served === null) return;
    for (const pid of withDescendants(this.served.pid))
      try {
        process.kill(pid, signal);
      } catch {
        // It has ended.
      }
  }

  /** One of its importers alone. */
  killImporter(random: () => number): void {
    if (this.served === null) return;
    const children = withDescendants(this.served.pid).slice(1);
    const victim = children[Math.floor(random() * children.length)];
    if (victim !== undefined) process.kill(victim, 'SIGKILL');
  }

  async kill(): Promise<void> {
    const { served } = this;
    if (served === null) return;
    this.signal('SIGKILL');
    await served.exited;
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
