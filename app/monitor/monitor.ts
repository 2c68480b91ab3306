/** The HTTP server for monitors, on an address of its own: `/healthz`, `/readyz` and `/metrics`. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../config/logger.js';
import { readEndpoint } from '../../config/network.js';
import type { CommitWait } from '../../db/postgres/replication.js';
import { OperationError } from '../../operations/error.js';
import type { Workplace } from '../../operations/workplace.js';
import { findShortage } from '../../storage/freespace.js';
import type { Count } from '../counting.js';
import type { WorkerView } from '../workerpool.js';
import { createMetrics } from './metrics.js';

export interface MonitorDeps {
  /** `ADDRESS:PORT`. */
  endpoint: string;
  workplace: Workplace;
  version: string;
  logger: Logger;
  countConnections: () => number;
  /** Of a server with several processes for connections; else none. */
  viewWorkers?: () => readonly WorkerView[];
  /** Why no commit is answered, in a sentence; null: they are. */
  findCommitFault?: () => string | null;
  /** The same in numbers; null: none waits. */
  findCommitWait?: () => CommitWait | null;
  /** How long the database may take to answer `/readyz`; default: 3 s. */
  databaseWithinMs?: number;
}

export interface Monitor {
  port: number;
  /** Counts for the other processes of the server. */
  count: Count;
  stop(): Promise<void>;
}

const answerWithinMs = 5000;
const databaseWithinMs = 3000;

/** @throws OperationError `unavailable` when the address is in use */
export async function startMonitor(deps: MonitorDeps): Promise<Monitor> {
  const { endpoint, workplace, logger } = deps;
  const metrics = createMetrics(deps);
  const pages: Record<string, (response: ServerResponse) => Promise<void>> = {
    '/healthz': async (response) => answer(response, 200, 'text/plain; charset=utf-8', 'ok\n'),
    '/readyz': async (response) => {
      const reasons = await findReasons(workplace, deps.databaseWithinMs ?? databaseWithinMs);
      const workers = deps.viewWorkers?.() ?? [];
      if (workers.length > 0 && workers.every(({ isReady }) => !isReady))
        reasons.push('no process for connections is ready');
      const commitFault = deps.findCommitFault?.() ?? null;
      if (commitFault !== null) reasons.push(commitFault);
      const body = JSON.stringify({ ready: reasons.length === 0, reasons });
      answer(response, reasons.length === 0 ? 200 : 503, 'application/json', `${body}\n`);
    },
    '/metrics': async (response) => answer(response, 200, metrics.contentType, await metrics.render()),
  };
  const server = createServer(
    { requestTimeout: answerWithinMs, headersTimeout: answerWithinMs },
    (request, response) => {
      const page = pages[(request.url ?? '/').split('?')[0]!];
      if (page === undefined) return answer(response, 404, 'text/plain; charset=utf-8', 'not found\n');
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return answer(response, 405, 'text/plain; charset=utf-8', 'use GET\n');
      page(response).catch((error: Error) => {
        logger.warn('could not answer a monitor', { page: request.url?.slice(0, 100), reason: error.message });
        answer(response, 503, 'text/plain; charset=utf-8', 'the databases do not answer; see the log\n');
      });
    },
  );
  server.maxConnections = 20;
  const { host, port } = readEndpoint(endpoint)!;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    metrics.stop();
    throw new OperationError('unavailable', `monitor: can't listen on ${endpoint}: ${(cause as Error).message}`, {
      cause,
    });
  }
  const { port: bound } = server.address() as AddressInfo;
  logger.info('answering monitors', { host: host ?? '*', port: bound });
  return {
    port: bound,
    count: metrics.count,
    stop: async () => {
      metrics.stop();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Why this server should get no work; empty: it is ready. */
async function findReasons({ control, settings }: Workplace, withinMs: number): Promise<string[]> {
  const reasons: string[] = [];
  const patience = new AbortController();
  const late = sleep(withinMs, false, { signal: patience.signal }).catch(() => false);
  const answers = control.read.raw('SELECT 1').then(
    () => true,
    () => false,
  );
  // A database that has gone without a word leaves its connections open.
  if (!(await Promise.race([answers, late]))) reasons.push('the control database does not answer');
  patience.abort();
  if (findShortage(settings) !== null) reasons.push('the disk is nearly full: uploads are refused');
  return reasons;
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
