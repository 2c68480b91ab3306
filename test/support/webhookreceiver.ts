/** A receiver of webhooks on the loopback that keeps the requests that it gets. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Scope } from './temporary.js';

export interface Received {
  request: IncomingMessage;
  body: string;
}

/** Ends the response, or breaks the connection. */
type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export interface WebhookReceiver {
  received: Received[];
  port: number;
  url: string;
}

export async function receiveWebhooks(
  scope: Scope,
  answer: Answer = (_, response) => response.writeHead(204).end(),
): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    received.push({ request, body });
    answer(request, response, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { received, port, url: `http://127.0.0.1:${port}/hook` };
}
