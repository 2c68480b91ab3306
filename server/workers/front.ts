/**
 * The part of a server with several processes that accepts connections: refuses what it can before any SSH, hands each admitted
 * socket to a worker, and owns the limits and penalties that all workers share.
 */
import type { Socket } from 'node:net';
import type { PolicyName } from '../../config/network.js';
import { removeSessionServers } from '../../db/control/sessions.js';
import type { HostKey } from '../../keys/host/hostkeys.js';
import { openEntrance } from '../ssh/entrance.js';
import { createGate, type Gate } from '../ssh/gate.js';
import { listenAll } from '../ssh/listener.js';
import type { RunningServer, ServerDeps } from '../types.js';
import { stopReading } from './handover.js';
import { Ledger } from './ledger.js';
import { type CountedEvent, type FrontMessage, toText, type WorkerMessage } from './messages.js';

/** The way to one worker. */
export interface Port {
  /** false: the worker has ended, or is ending, and gets no more connections. */
  readonly isOpen: boolean;
  /** It has not answered for some seconds: it gets connections only while all are so. */
  readonly isBusy: boolean;
  /** `onLost` is called when a socket did not arrive. */
  send(message: FrontMessage, socket?: Socket, onLost?: () => void): void;
}

export interface FrontDeps extends Pick<ServerDeps, 'settings' | 'logger' | 'control' | 'now' | 'random'> {
  /** Gets the audit records of the workers. */
  onAudit?: (events: readonly CountedEvent[]) => void;
}

export interface Front extends Pick<RunningServer, 'listeners' | 'countConnections'> {
  /** Of one worker. */
  countOf(port: Port): number;
  /** The workers get them, too. */
  replaceHostKeys(keys: readonly HostKey[]): void;
  /** Accepts no more connections; those that there are remain. */
  close(): void;
  /** Once all workers have ended. */
  stop(): Promise<void>;
}

/** The workers of a server, which begin and end while it runs. */
export interface Workers {
  list(): readonly Port[];
  /** Called by the front. */
  listen(listeners: {
    onMessage(port: Port, message: WorkerMessage): void;
    onStart(port: Port): void;
    onEnd(port: Port): void;
  }): void;
}

interface Visit {
  id: number;
  port: Port;
  gate: Gate;
  hasLoggedIn: boolean;
  hasLeft: boolean;
}

/** @throws ServerError: `port_in_use`, `address_unavailable` */
export async function startFront(deps: FrontDeps, workers: Workers): Promise<Front> {
  const { settings, logger, control, now } = deps;
  const visits = new Map<number, Visit>();
  const counts = new Map<Port, number>();
  let lastId = 0;
  let turn = 0;
  const ledger = new Ledger<Port>(settings, (port, message) => port.send(message), now);

  const onPenalty = (): void => {
    const ids = new Map<Port, number[]>();
    for (const { id, port, gate, hasLoggedIn } of visits.values()) {
      if (hasLoggedIn || !gate.isClosed) continue;
      ids.set(port, [...(ids.get(port) ?? []), id]);
    }
    for (const [port, some] of ids) port.send({ type: 'penalty', ids: some });
  };
  const { reception, failedLogins, logLimiter, stop } = await openEntrance(deps, {
    countConnections: () => visits.size,
    onPenalty,
  });
  // The sessions of the workers before these.
  if (control.dialect === 'sqlite') await removeSessionServers(control.write, 'serve');

  const leave = (visit: Visit, offence: Parameters<Gate['recordEnd']>[0], user: string | null): void => {
    if (visit.hasLoggedIn || visit.hasLeft) return;
    visit.hasLeft = true;
    visit.gate.recordEnd(offence, user);
  };
  const forget = (visit: Visit): void => {
    if (!visits.delete(visit.id)) return;
    leave(visit, null, null);
    counts.set(visit.port, (counts.get(visit.port) ?? 1) - 1);
  };

  /** The one with the fewest connections; of several, in turn. All are busy at once where they wait for the database. */
  const choose = (): Port | null => {
    const open = workers.list().filter(({ isOpen }) => isOpen);
    const free = open.filter(({ isBusy }) => !isBusy);
    const some = free.length > 0 ? free : open;
    if (some.length === 0) return null;
    turn = (turn + 1) % some.length;
    const inTurn = [...some.slice(turn), ...some.slice(0, turn)];
    return inTurn.reduce((best, port) => ((counts.get(port) ?? 0) < (counts.get(best) ?? 0) ? port : best));
  };

  const accept = async (socket: Socket, policy: PolicyName): Promise<void> => {
    const origin = await reception.admit(socket);
    if (origin === null) return;
    const gate = createGate(reception, origin);
    const port = choose();
    if (port === null || socket.destroyed) {
      gate.recordEnd(null, null);
      socket.destroy();
      if (port === null && logLimiter.allows('no worker'))
        logger.error('connection refused: no process for connections runs now; will start them again');
      return;
    }
    const visit: Visit = { id: ++lastId, port, gate, hasLoggedIn: false, hasLeft: false };
    visits.set(visit.id, visit);
    counts.set(port, (counts.get(port) ?? 0) + 1);
    const rest = stopReading(socket);
    const { id } = visit;
    const { address, isStranger } = gate;
    const message = { type: 'connection', id, address, isStranger, policy } as const;
    port.send(rest === null ? message : { ...message, rest: rest.toString('base64') }, socket, () => forget(visit));
  };

  const answer = async (port: Port, ask: number, value: unknown): Promise<void> =>
    port.send({ type: 'answer', ask, value: await value });

  const onMessage = (port: Port, message: WorkerMessage): void => {
    const visit = 'id' in message ? visits.get(message.id) : undefined;
    switch (message.type) {
      case 'attempt':
        void answer(port, message.ask, visit?.gate.admitAttempt(message.attempt) ?? 1000);
        break;
      case 'join':
        void answer(port, message.ask, ledger.join(port, message.org));
        break;
      case 'openSession':
        void answer(port, message.ask, ledger.openSession(port, message.org));
        break;
      case 'login':
        if (visit === undefined || visit.hasLeft) break;
        visit.hasLoggedIn = true;
        visit.gate.recordLogin(message.user, message.credential);
        break;
      case 'left':
        if (visit !== undefined) leave(visit, message.offence, message.user);
        break;
      case 'closed':
        if (visit !== undefined) forget(visit);
        break;
      case 'leave':
        ledger.leave(port, message.org);
        break;
      case 'closeSession':
        ledger.closeSession(port, message.org);
        break;
      case 'failedLogin':
        failedLogins.count(message.address);
        break;
      case 'usage':
        ledger.use(port, message.org, message.usage);
        break;
      case 'total':
        ledger.useInAll(port, message.bytes);
        break;
      case 'audit':
        deps.onAudit?.(message.events);
        break;
    }
  };
  const onEnd = (port: Port): void => {
    for (const visit of [...visits.values()]) if (visit.port === port) forget(visit);
    counts.delete(port);
    ledger.remove(port);
  };
  workers.listen({ onMessage, onStart: (port) => ledger.add(port), onEnd });
  try {
    const listeners = await listenAll(settings, (socket, policy) => void accept(socket, policy), true);
    return {
      listeners: listeners.map(({ host, port, policy }) => ({ host, port, policy })),
      countConnections: () => visits.size,
      countOf: (port) => counts.get(port) ?? 0,
      replaceHostKeys(hostKeys) {
        const keys = toText(hostKeys);
        for (const port of workers.list()) port.send({ type: 'hostKeys', keys });
      },
      close() {
        for (const listener of listeners) listener.close();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
