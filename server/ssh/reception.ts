/** Admits or refuses a TCP connection before any cryptography: reads the proxy's header, and checks penalties and limits. */
import type { Socket } from 'node:net';
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { createAddressSet, plainAddress } from '../../keys/login/addresses.js';
import type { LogLimiter } from './loglimiter.js';
import type { Offence, Penalties, Penalty } from './penalties.js';
import { type NoHeader, readProxyHeader } from './proxyprotocol.js';
import { type Source, sourceOf } from './source.js';
import { StartupLimits } from './startuplimits.js';

/** How long a proxy may take to send its header, which comes with the first packet. */
const proxyMs = 5000;

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
  'proxies' | 'exemptAddresses' | 'maxConnections' | 'maxUnauthenticated' | 'maxUnauthenticatedPerAddress'
>;

export interface ReceptionDeps {
  settings: ReceptionSettings;
  logger: Logger;
  logLimiter: LogLimiter;
  /** null: there are no penalties. */
  penalties: Penalties | null;
  random: () => number;
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

  /** null: the connection was refused. Each origin must either be passed to `recordLogin` or `recordEnd` later. */
  async admit(socket: Socket): Promise<Origin | null> {
    // Without a listener a reset ends the process.
    socket.on('error', () => {});
    const peer = plainAddress(socket.remoteAddress ?? '');
    if (this.#deps.countConnections() + this.#awaitingHeader.size >= this.#deps.settings.maxConnections)
      return this.#refuse(socket, peer, 'the limit maxConnections is reached');
    const origin = this.#proxies.has(peer) ? await this.#askProxy(socket, peer) : this.#identify(peer);
    if (typeof origin === 'string') return this.#refuse(socket, peer, headerRefusals[origin]);
    const { address, source, isExempt } = origin;
    const penaltyMs = isExempt ? 0 : (this.#deps.penalties?.remainingMs(source) ?? 0);
    if (penaltyMs > 0) return this.#refuse(socket, address, 'the address has a penalty');
    const isKnown = this.#deps.penalties?.isKnown(source) ?? false;
    const refusal = this.#startupLimits.enter(source, { isKnown, isExempt });
    return refusal === null ? origin : this.#refuse(socket, address, refusal);
  }

  /** The client has logged in. */
  recordLogin({ source, isExempt }: Origin): void {
    this.#startupLimits.leave(source);
    if (!isExempt) this.#deps.penalties?.recordLogin(source);
  }

  /** The connection ended without a login; `offence` null: the client did nothing wrong. */
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
    // A health check of the proxy itself.
    if (header.address === null) return { ...this.#identify(peer), isExempt: true };
    return this.#identify(plainAddress(header.address));
  }

  /** `reason` null: not logged. */
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
