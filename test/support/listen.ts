/** An HTTP application on a free port of the loopback. */
import type { TestContext } from 'node:test';
import { serve } from '@hono/node-server';

/** Its address; closed when the test ends. */
export async function listen(t: TestContext, app: { fetch: Parameters<typeof serve>[0]['fetch'] }): Promise<string> {
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  t.after(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.once('listening', () => resolve()));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
