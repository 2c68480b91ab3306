/**
 * Adds the post-quantum key exchange to ssh2, which has no interface for it: loads a copy of ssh2 whose lib/protocol/kex.js
 * has one more case. It changes only the version of that file whose digest it knows. See docs/decisions/post-quantum.md.
 */
import { createHash, generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { dirname, join, sep } from 'node:path';
import type ssh2 from 'ssh2';
import { WireWriter } from '../../keys/wire.js';
import { agreeX25519, answerHybrid, exportX25519 } from './mlkemx25519.js';

export const postQuantumKex = 'mlkem768x25519-sha256';

/** SHA-256 of lib/protocol/kex.js of ssh2 1.17.0, which was read line by line for this change. */
const knownDigest = '054ba4b81801596350f0e2e939746d2966297cffd4303b342c25b2fd5d295755';

/** The first case of the switch that makes an exchange by its name. */
const firstCase = "        case 'curve25519-sha256':\n";

const ourCase = `        case '${postQuantumKex}':
          return module.extend(new Curve25519Exchange('sha256', ...args));

`;

/** The exchange of ssh2 with X25519 alone. */
const ownExchange = "          return new Curve25519Exchange('sha256', ...args);\n";
const quickExchange = "          return module.quicken(new Curve25519Exchange('sha256', ...args));\n";

/** The methods of ssh2's key exchange that we replace: it sends `getPublicKey()`, and hashes it, `convertPublicKey()` and K as strings. */
export interface Exchange {
  convertPublicKey(received: Buffer): Buffer;
  /** An error ends the connection. */
  computeSecret(received: Buffer): Buffer | Error;
  getPublicKey(): Buffer;
}

export interface Transport {
  ssh2: typeof ssh2;
  /** The added key exchanges, to be offered first. Empty: none, for the reason in `lacking`. */
  kex: readonly (typeof postQuantumKex)[];
  lacking: string | null;
}

export interface TransportOptions {
  digest?: string;
  /** Makes an X25519 exchange a hybrid one. */
  extend?: (exchange: Exchange) => Exchange;
  /** The process belongs to another program: its `require('ssh2')` gives ssh2 as it is. */
  isGuest?: boolean;
}

/** The extended copy of ssh2, or ssh2 as it is. Node.js caches the copy: it is loaded once. */
export function loadTransport({
  digest = knownDigest,
  extend = answerClient,
  isGuest = false,
}: TransportOptions = {}): Transport {
  const require = createRequire(import.meta.url);
  const main = require.resolve('ssh2');
  const { file, source, lacking } = inspectTransport(digest);
  if (lacking !== null) return { ssh2: require('ssh2'), kex: [], lacking };
  const folder = dirname(main);
  const own = isGuest ? listLoaded(require, folder) : null;
  if ((require.cache[file] as ExtendedModule | undefined)?.extend !== extend) {
    forget(require, folder);
    compile(require, file, source.toString(), extend);
    const { SUPPORTED_KEX } = require(join(dirname(file), 'constants.js')) as { SUPPORTED_KEX: string[] };
    SUPPORTED_KEX.push(postQuantumKex);
  }
  const transport: Transport = { ssh2: require('ssh2'), kex: [postQuantumKex], lacking: null };
  if (own !== null) {
    forget(require, folder);
    Object.assign(require.cache, own);
  }
  return transport;
}

/** Whether the installed ssh2 is the known version, without loading it. `lacking` is the reason why not; null: it is. */
export function inspectTransport(digest = knownDigest): { file: string; source: Buffer; lacking: string | null } {
  const file = join(dirname(createRequire(import.meta.url).resolve('ssh2')), 'protocol', 'kex.js');
  const source = readFileSync(file);
  const isKnown = createHash('sha256').update(source).digest('hex') === digest;
  return { file, source, lacking: isKnown ? null : `${file} is not the one that this version of Dropslot knows` };
}

/** The exchange of a server: the client speaks first, so that its keys are there when ours are asked for. */
function answerClient(exchange: Exchange): Exchange {
  let answer: Buffer = Buffer.alloc(0);
  exchange.convertPublicKey = (received) => received;
  exchange.computeSecret = (received) => {
    try {
      const { reply, secret } = answerHybrid(received);
      answer = reply;
      return secret;
    } catch (error) {
      return error as Error;
    }
  };
  exchange.getPublicKey = () => answer;
  return exchange;
}

/**
 * ssh2 reads the client's key as SubjectPublicKeyInfo, and writes its own so: on OpenSSL 3 each takes twice as long as the agreement. As JWK
 * they take a tenth of that.
 */
export function quicken(exchange: Exchange): Exchange {
  let pair: KeyPairKeyObjectResult | null = null;
  const takePair = () => {
    pair ??= generateKeyPairSync('x25519');
    return pair;
  };
  exchange.getPublicKey = () => exportX25519(takePair().publicKey);
  exchange.computeSecret = (received) => {
    try {
      return toMpint(agreeX25519(takePair().privateKey, received));
    } catch (error) {
      return error as Error;
    }
  };
  return exchange;
}

/** The digits of a positive number (RFC 4251, section 5) whose length comes before them. */
function toMpint(bytes: Buffer): Buffer {
  return new WireWriter().mpint(bytes).finish().subarray(4);
}

type Change = (exchange: Exchange) => Exchange;
type ExtendedModule = NodeJS.Module & { extend: Change; quicken: Change };

/** Modules imported before keep their old copy. */
function forget({ cache }: Pick<NodeJS.Require, 'cache'>, folder: string): void {
  for (const name of Object.keys(listLoaded({ cache }, folder))) Reflect.deleteProperty(cache, name);
}

/** Without the native parts, which can't be loaded twice. */
function listLoaded({ cache }: Pick<NodeJS.Require, 'cache'>, folder: string): NodeJS.Require['cache'] {
  const isOf = (name: string) => name.startsWith(folder + sep) && name.endsWith('.js');
  return Object.fromEntries(Object.entries(cache).filter(([name]) => isOf(name)));
}

/** Puts the extended module where `require` finds it. */
function compile(
  require: NodeJS.Require,
  file: string,
  source: string,
  extend: (exchange: Exchange) => Exchange,
): void {
  const module = new Module(file) as ExtendedModule & { _compile(source: string, file: string): void };
  Object.assign(module, { filename: file, paths: require.resolve.paths(file) ?? [], extend, quicken });
  require.cache[file] = module;
  module._compile(source.replace(ownExchange, quickExchange).replace(firstCase, ourCase + firstCase), file);
  module.loaded = true;
}
