/** What a TCP connection goes through before anything is computed for it: the proxy's word, pauses, and caps. */
import type { Socket } from 'node:net';
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { createAddressSet, plainAddress } from '../../keys/login/addresses.js';
import type { LogLimiter } from './loglimiter.js';
import type { Offence, Penalties, Penalty } from './penalties.js';
import { type NoHeader, readProxyHeader } from './proxyprotocol.js';
import { type Source, sourceOf } from './source.js';
import { StartupLimits } from './startuplimits.js';

/** How long a proxy may take to say who its client is; its header comes with the first packet. */
const proxyMs = 5000;

/** A health check that only connects is nothing to tell of. */
const headerRefusals: Record<NoHeader, string | null> = {
  malformed: 'what a proxy sent first is no PROXY protocol header, or a broken one',
  late: 'no PROXY protocol header from a proxy',
  gone: null,
};

export interface Origin {
  /** The client's, also behind a proxy. */
  address: string;
  source: Source;
  isExempt: boolean;
}

type ReceptionSettings = Pick<
  Settings,
  'proxies' | 'exemptAddresses' | 'maxConnections' | 'maxUnauthenticated' | 'maxUnauthenticatedPerAddress'
>;

export interface ReceptionDeps {
  settings: ReceptionSettings;
  logger: Logger;
  logLimiter: LogLimiter;
  /** null: nobody pauses. */
  penalties: Penalties | null;
  random: () => number;
  /** Connections that are there. */
  countConnections(): number;
  onPenalty(penalty: Penalty): void;
}

export class Reception {
  readonly #proxies;
  readonly #exempt;
  readonly #startupLimits;
  /** Sockets whose proxy has not yet said whose they are. */
  readonly #awaitingHeader = new Set<Socket>();
  readonly #deps: ReceptionDeps;

  constructor(deps: ReceptionDeps) {
    this.#deps = deps;
    const { settings, random } = deps;
    this.#proxies = createAddressSet(settings.proxies);
    this.#exempt = createAddressSet(settings.exemptAddresses);
    this.#startupLimits = new StartupLimits({
      most: settings.maxUnauthenticated,
      mostPerSource: settings.maxUnauthenticatedPerAddress,
      random,
    });
  }

  /** null: it was turned away. Each origin must either be passed to `recordLogin` or `recordEnd` later. */
  async admit(socket: Socket): Promise<Origin | null> {
    // Without a listener a reset ends the process.
    socket.on('error', () => {});
    const peer = plainAddress(socket.remoteAddress ?? '');
    if (this.#deps.countConnections() + this.#awaitingHeader.size >= this.#deps.settings.maxConnections)
      return this.#refuse(socket, peer, 'as many connections as maxConnections allows');
    const origin = this.#proxies.has(peer) ? await this.#askProxy(socket, peer) : this.#identify(peer);
    if (typeof origin === 'string') return this.#refuse(socket, peer, headerRefusals[origin]);
    const { address, source, isExempt } = origin;
    const penaltyMs = isExempt ? 0 : (this.#deps.penalties?.remainingMs(source) ?? 0);
    if (penaltyMs > 0) return this.#refuse(socket, address, 'the address has a penalty');
    const isKnown = this.#deps.penalties?.isKnown(source) ?? false;
    const refusal = this.#startupLimits.enter(source, { isKnown, isExempt });
    return refusal === null ? origin : this.#refuse(socket, address, refusal);
  }

  /** A key has logged in. */
  recordLogin({ source, isExempt }: Origin): void {
    this.#startupLimits.leave(source);
    if (!isExempt) this.#deps.penalties?.recordLogin(source);
  }

  /** It ended without a login; null: by no fault of the client's. */
  recordEnd({ source, isExempt }: Origin, offence: Offence | null): void {
    this.#startupLimits.leave(source);
    if (isExempt || offence === null) return;
    const penalty = this.#deps.penalties?.charge(source, offence) ?? null;
    if (penalty !== null) this.#deps.onPenalty(penalty);
  }

  stop(): void {
    for (const socket of this.#awaitingHeader) socket.destroy();
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
    // A connection of the proxy itself, to see whether we are there.
    if (header.address === null) return { ...this.#identify(peer), isExempt: true };
    return this.#identify(plainAddress(header.address));
  }

  /** null: not told in the log. */
  #refuse(socket: Socket, address: string, reason: string | null): null {
    // A reset fails while the end of our side is on its way, which the client's end has begun, and leaves the handle open.
    if (socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
    if (reason === null) return null;
    const message = `connection refused: ${reason}`;
    if (this.#deps.logLimiter.allows(message)) this.#deps.logger.warn(message, { address });
    return null;
  }
}
