/** Admits or refuses a TCP connection before any cryptography: reads the proxy's header, and checks penalties and limits. */
import type { Socket } from 'node:net';
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { createAddressSet, plainAddress } from '../../keys/login/addresses.js';
import { type Refusal, refusalLine } from './farewell.js';
import type { KnownUsers } from './knownusers.js';
import type { Attempt, LoginPenalties } from './loginpenalties.js';
import type { LogLimiter } from './loglimiter.js';
import type { Offence, Penalty } from './penalties.js';
import { type NoHeader, readProxyHeader } from './proxyprotocol.js';
import { type Source, sourceOf } from './source.js';
import { StartupLimits } from './startuplimits.js';
import { createTurns, type Turn } from './turns.js';

/** How long a proxy may take to send its header, which comes with the first packet. */
const proxyMs = 5000;

/** How long a refused client may take to read why, and how many may do so at once: a flood of the others is cut off. */
const refusedMs = 1000;
const mostRefused = 100;

/** null: not logged, as a health check that only connects. */
const headerRefusals: Record<NoHeader, string | null> = {
  malformed: 'a proxy sent no valid PROXY protocol header',
  late: 'a proxy sent no PROXY protocol header in time',
  gone: null,
};

export interface Origin {
  /** The client's address, also behind a proxy. */
  address: string;
  source: Source;
  isExempt: boolean;
}

type ReceptionSettings = Pick<
  Settings,
  'contact' | 'proxies' | 'exemptAddresses' | 'maxConnections' | 'maxUnauthenticated' | 'maxUnauthenticatedPerAddress'
>;

export interface ReceptionDeps {
  settings: ReceptionSettings;
  logger: Logger;
  logLimiter: LogLimiter;
  /** null: there are no penalties. */
  penalties: LoginPenalties | null;
  known: KnownUsers;
  random: () => number;
  now: () => number;
  /** Open connections. */
  countConnections(): number;
  onPenalty(penalty: Penalty): void;
}

export class Reception {
  readonly #proxies;
  readonly #exempt;
  readonly #startupLimits;
  /** Sockets whose proxy has not yet sent its header. */
  readonly #awaitingHeader = new Set<Socket>();
  /** Sockets of refused clients, which read why. */
  readonly #refused = new Set<Socket>();
  readonly #turns;
  readonly #deps: ReceptionDeps;

  constructor(deps: ReceptionDeps) {
    this.#deps = deps;
    const { settings, random } = deps;
    this.#proxies = createAddressSet(settings.proxies);
    this.#exempt = createAddressSet(settings.exemptAddresses);
    this.#turns = createTurns(settings.maxUnauthenticatedPerAddress);
    this.#startupLimits = new StartupLimits({
      most: settings.maxUnauthenticated,
      mostPerSource: settings.maxUnauthenticatedPerAddress,
      random,
    });
  }

  /** null: the connection was refused. Each origin must either be passed to `recordLogin` or `recordEnd` later. */
  async admit(socket: Socket): Promise<Origin | null> {
    // Without a listener a reset ends the process.
    socket.on('error', () => {});
    const peer = plainAddress(socket.remoteAddress ?? '');
    if (this.#deps.countConnections() + this.#awaitingHeader.size >= this.#deps.settings.maxConnections)
      return this.#refuse(socket, peer, 'the limit maxConnections is reached');
    const origin = this.#proxies.has(peer) ? await this.#askProxy(socket, peer) : this.#identify(peer);
    if (typeof origin === 'string') return this.#cutOff(socket, peer, headerRefusals[origin]);
    const { address, source, isExempt } = origin;
    const { waitMs, users } = (isExempt ? null : this.#deps.penalties?.admit(source)) ?? { waitMs: 0, users: 0 };
    if (waitMs > 0) return this.#refuse(socket, address, 'the address has a penalty', waitMs);
    const refusal = this.#startupLimits.enter(source, { users, isExempt });
    return refusal === null ? origin : this.#refuse(socket, address, refusal);
  }

  /** Whether no organization logged in from there for weeks. */
  isStranger({ source }: Origin): boolean {
    return !this.#deps.known.hasMet(source);
  }

  /** Whether connections from there that have not logged in must end. */
  isClosed({ source, isExempt }: Origin): boolean {
    return !isExempt && this.#deps.penalties?.isClosed(source) === true;
  }

  /** Milliseconds for which the attempt is not checked; 0: it is. */
  waitMs({ isExempt }: Origin, attempt: Attempt): number {
    return isExempt ? 0 : (this.#deps.penalties?.waitMs(attempt) ?? 0);
  }

  /** The turn that a connection needs before the attempt is checked; null: it needs none. */
  takeTurn({ isExempt, source }: Origin, attempt: Attempt): Turn | null {
    return !isExempt && this.#deps.penalties?.isNew(attempt) === true ? this.#turns.take(source) : null;
  }

  /** The client has logged in. */
  recordLogin({ source, isExempt }: Origin, user: string, credential: string): void {
    this.#startupLimits.leave(source);
    if (isExempt || this.#deps.penalties === null)
      this.#deps.known.remember(source, user, credential, this.#deps.now());
    else this.#deps.penalties.recordLogin({ source, user, credential });
  }

  /** The connection ended without a login; `offence` null: the client did nothing wrong. `user` null: it named none. */
  recordEnd({ source, isExempt }: Origin, offence: Offence | null, user: string | null): void {
    this.#startupLimits.leave(source);
    if (isExempt || offence === null) return;
    for (const penalty of this.#deps.penalties?.charge(source, offence, user) ?? []) this.#deps.onPenalty(penalty);
  }

  stop(): void {
    for (const socket of [...this.#awaitingHeader, ...this.#refused]) socket.destroy();
  }

  #identify(address: string): Origin {
    return { address, source: sourceOf(address), isExempt: this.#exempt.has(address) };
  }

  async #askProxy(socket: Socket, peer: string): Promise<Origin | NoHeader> {
    this.#awaitingHeader.add(socket);
    const header = await readProxyHeader(socket, proxyMs);
    this.#awaitingHeader.delete(socket);
    if (typeof header === 'string') return header;
    if (socket.destroyed) return 'gone';
    // A health check of the proxy itself.
    if (header.address === null) return { ...this.#identify(peer), isExempt: true };
    return this.#identify(plainAddress(header.address));
  }

  /** Tells the client why: its own line is read and dropped, since a socket that is closed with unread bytes loses ours. */
  #refuse(socket: Socket, address: string, reason: Refusal, waitMs = 0): null {
    if (socket.destroyed || socket.writableEnded || this.#refused.size >= mostRefused)
      return this.#cutOff(socket, address, reason);
    this.#refused.add(socket);
    const timer = setTimeout(() => socket.destroy(), refusedMs);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refused.delete(socket);
    });
    socket.resume().end(refusalLine(reason, waitMs, this.#deps.settings.contact));
    return this.#log(address, reason);
  }

  /** `reason` null: not logged. */
  #cutOff(socket: Socket, address: string, reason: string | null): null {
    // A reset fails while the end of our side is on its way, which the client's end has begun, and leaves the handle open.
    if (socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
    return reason === null ? null : this.#log(address, reason);
  }

  #log(address: string, reason: string): null {
    const message = `connection refused: ${reason}`;
    if (this.#deps.logLimiter.allows(message)) this.#deps.logger.warn(message, { address });
    return null;
  }
}
