/** A TCP proxy whose connections a test delays, holds without a word, or cuts: the network between a node and its database. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Scope } from './temporary.js';

export interface TcpProxy {
  port: number;
  /** Of a database behind it. */
  through(url: string): string;
  /** Each piece of data waits for so long, in both directions. */
  delay(ms: number): void;
  /** Passes nothing on, and lets new connections wait, as a cut cable does; false: goes on, with all that waited. */
  hold(isHeld: boolean): void;
  /** Ends every connection, and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
  /** Ends the connection that brings such a piece of data for the server, in its place or in place of the answer; null: none. */
  cutAt(text: string | null, when?: 'before' | 'after'): void;
  /** Puts other bytes in the place of each piece of data of the server, and ends the connection after it if they are fewer; null: none. */
  spoil(change: ((bytes: Buffer) => Buffer) | null): void;
  /** Where new connections lead. */
  target(port: number): void;
}

export async function startTcpProxy(scope: Scope, targetPort: number): Promise<TcpProxy> {
  let target = targetPort;
  let delayMs = 0;
  let isHeld = false;
  let isCut = false;
  let cutAt: { text: string; when: 'before' | 'after' } | null = null;
  let spoiled: ((bytes: Buffer) => Buffer) | null = null;
  const pairs = new Set<{ sockets: Socket[]; pumps: (() => void)[] }>();
  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect(target, '127.0.0.1');
    let losesAnswer = false;
    const cutsAt = (bytes: Buffer) => {
      if (cutAt === null || !bytes.includes(cutAt.text)) return false;
      losesAnswer = cutAt.when === 'after';
      return !losesAnswer;
    };
    const spoils = (bytes: Buffer) => {
      if (spoiled === null) return false;
      const changed = spoiled(bytes);
      if (changed.length < bytes.length) client.end(changed);
      else client.write(changed);
      return changed.length < bytes.length ? 'ended' : 'written';
    };
    const pumps = [join(client, upstream, cutsAt), join(upstream, client, () => losesAnswer, spoils)];
    const pair = { sockets: [client, upstream], pumps };
    pairs.add(pair);
    for (const socket of pair.sockets) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        for (const each of pair.sockets) each.destroy();
      });
    }
  });

  /** Passes pieces on in their order; what comes while it is held waits. At a piece for which `cuts` is true the connection ends. */
  function join(
    from: Socket,
    to: Socket,
    cuts: (bytes: Buffer) => boolean,
    spoils: (bytes: Buffer) => 'ended' | 'written' | false = () => false,
  ): () => void {
    const waiting: { bytes: Buffer; at: number }[] = [];
    let timer: NodeJS.Timeout | null = null;
    const pump = () => {
      timer = null;
      while (!isHeld && waiting.length > 0 && waiting[0]!.at <= performance.now()) to.write(waiting.shift()!.bytes);
      if (!isHeld && waiting.length > 0) timer = setTimeout(pump, Math.max(1, waiting[0]!.at - performance.now()));
    };
    from.on('data', (bytes) => {
      if (cuts(bytes)) {
        from.destroy();
        to.destroy();
        return;
      }
      const how = spoils(bytes);
      if (how === 'ended') from.destroy();
      if (how !== false) return;
      if (delayMs === 0 && !isHeld && waiting.length === 0) {
        to.write(bytes);
        return;
      }
      waiting.push({ bytes, at: performance.now() + delayMs });
      if (timer === null) pump();
    });
    return pump;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    isCut = true;
    for (const { sockets } of pairs) for (const socket of sockets) socket.destroy();
  };
  scope.after(async () => {
    cut();
    server.close();
    await once(server, 'close');
  });
  return {
    port,
    through: (url) => {
      const changed = new URL(url);
      changed.host = `127.0.0.1:${port}`;
      return changed.href;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    hold: (next) => {
      isHeld = next;
      for (const { pumps } of pairs) for (const pump of pumps) pump();
    },
    cut,
    mend: () => {
      isCut = false;
    },
    cutAt: (text, when = 'before') => {
      cutAt = text === null ? null : { text, when };
    },
    spoil: (change) => {
      spoiled = change;
    },
    target: (to) => {
      target = to;
    },
  };
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
