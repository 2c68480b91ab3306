/** The part of a server with several processes that speaks SSH: gets admitted sockets from the front, and asks it for what all share. */
import type { Socket } from 'node:net';
import type { AuditRate } from '../../db/control/auditrate.js';
import type { Memory } from '../../intake/memory.js';
import { tuneCollector } from '../garbagecollector.js';
import { createSessionRegister } from '../sessionregister.js';
import { createConnections } from '../ssh/connections.js';
import type { Gate } from '../ssh/gate.js';
import { createLogLimiter } from '../ssh/loglimiter.js';
import type { ServerDeps } from '../types.js';
import { type FrontMessage, fromText, type Question, type WorkerMessage } from './messages.js';
import { createSharedLimits } from './share.js';

export interface WorkerDeps extends ServerDeps {
  memory: Memory;
  auditRate: AuditRate | undefined;
  /** Names this process in the database. */
  name: string;
  tell(message: WorkerMessage): void;
}

export interface RunningWorker {
  /** `socket` null: its connection ended on the way. */
  onMessage(message: FrontMessage, socket: Socket | null): void;
  countConnections(): number;
  /** As of a server. */
  stop(graceMs: number): Promise<void>;
}

/** @throws ServerError `bad_host_key` */
export function startWorker(deps: WorkerDeps): RunningWorker {
  const { settings, logger, tell } = deps;
  if (deps.isGuest !== true) tuneCollector();
  const asked = new Map<number, { id: number | null; resolve: (value: unknown) => void }>();
  const gates = new Map<number, Gate & { isClosed: boolean }>();
  let lastAsk = 0;
  const ask = <Answer>(question: Question, onAnswer?: (answer: Answer) => void): Promise<Answer> =>
    new Promise<Answer>((resolve) => {
      const number = ++lastAsk;
      const id = 'id' in question ? question.id : null;
      const settle = (value: unknown): void => {
        onAnswer?.(value as Answer);
        resolve(value as Answer);
      };
      asked.set(number, { id, resolve: settle });
      tell({ ...question, ask: number });
    });
  const logLimiter = createLogLimiter(logger);
  const register = createSessionRegister({ ...deps, kind: 'serve', isAlone: false, process: deps.name });
  const sessionLimits = createSharedLimits({ ...deps, caps: settings, ask });
  const failedLogins = { count: (address: string | null) => tell({ type: 'failedLogin', address }) };
  const connections = createConnections({ ...deps, sessionLimits, logLimiter, failedLogins, register });

  const receive = (message: FrontMessage & { type: 'connection' }, socket: Socket | null): void => {
    const { id, address, isStranger, policy, rest } = message;
    if (socket === null) {
      tell({ type: 'closed', id });
      return;
    }
    const gate = {
      ...{ address, isStranger, isClosed: false },
      admitAttempt: (attempt: Parameters<Gate['admitAttempt']>[0]) => ask<number>({ type: 'attempt', id, attempt }),
      recordLogin: (user: string, credential: string) => tell({ type: 'login', id, user, credential }),
      recordEnd: (...[offence, user]: Parameters<Gate['recordEnd']>) => tell({ type: 'left', id, offence, user }),
    };
    gates.set(id, gate);
    socket.pause();
    if (rest !== undefined) socket.unshift(Buffer.from(rest, 'base64'));
    const connection = connections.serve(socket, policy, gate);
    void connection.closed.then(() => {
      gates.delete(id);
      // Its turn never comes.
      for (const [ask, { id: of }] of asked) if (of === id) asked.delete(ask);
      tell({ type: 'closed', id });
    });
  };

  return {
    onMessage(message, socket) {
      switch (message.type) {
        case 'connection':
          return receive(message, socket);
        case 'answer':
          asked.get(message.ask)?.resolve(message.value);
          return void asked.delete(message.ask);
        case 'penalty':
          for (const id of message.ids) {
            const gate = gates.get(id);
            if (gate !== undefined) gate.isClosed = true;
          }
          return connections.closeUnauthenticated();
        case 'hostKeys':
          return connections.replaceHostKeys(fromText(message.keys));
        case 'shared':
          return sessionLimits.setShared(message.org, message.isShared);
        case 'others':
          return sessionLimits.setOthers(message.org, message.usage);
        case 'othersTotal':
          return deps.memory.setAllOthers(message.bytes);
      }
    },
    countConnections: () => connections.count(),
    async stop(graceMs) {
      await connections.stop(graceMs);
      sessionLimits.stop();
      logLimiter.stop();
      await register.stop();
    },
  };
}
