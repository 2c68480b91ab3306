/** A real OpenID Connect provider on a loopback port, whose ID tokens a test may forge, and a browser without a screen that signs in there. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import Provider, { type JWK } from 'oidc-provider';

export const client = { id: 'dropslot', secret: 'a secret of the client with 256 bits or so' };

export interface IssuedPerson {
  sub: string;
  email: string;
  email_verified: boolean;
  [claim: string]: unknown;
}

type Claims = Record<string, unknown>;

export interface Forgery {
  claims?: (claims: Claims) => Claims;
  header?: Record<string, unknown>;
  /** Signs in place of the provider; null: the signature is left out. */
  key?: KeyObject | null;
}

export interface TestIssuer {
  url: string;
  /** Who is signed in at the provider. */
  person: IssuedPerson;
  /** Of the next ID tokens; null: they are as the provider made them. */
  forgery: Forgery | null;
  /** Answers in place of the provider; null: none. */
  outage: { status: number; body: string; path?: string } | null;
  /** The paths that were asked for. */
  requests: string[];
  /** Signs with another key from now on. */
  rotate(): void;
  /** Of the client, in place of those of before. */
  register(redirects: readonly string[]): void;
  /** As a browser, from the address of authorization to the one that the provider leads back to. */
  follow(url: string): Promise<string>;
  close(): void;
}

interface Signer {
  kid: string;
  key: KeyObject;
}

function newSigner(kid: string): Signer {
  return { kid, key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey };
}

const toJwk = ({ kid, key }: Signer) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }) as JWK;

/** @param redirects the return addresses of the client */
export async function openIssuer(t: TestContext, redirects: readonly string[]): Promise<TestIssuer> {
  let signer = newSigner('first');
  let answer: ReturnType<Provider['callback']>;
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://x').pathname;
    issuer.requests.push(path);
    const { outage } = issuer;
    if (outage !== null && (outage.path === undefined || outage.path === path)) {
      response.writeHead(outage.status, { 'content-type': 'application/json' }).end(outage.body);
      return;
    }
    if (path === '/token' && issuer.forgery !== null) forgeAnswer(response, issuer.forgery, signer);
    void answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  t.after(close);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const start = () => {
    const provider = new Provider(url, {
      clients: [
        {
          client_id: client.id,
          client_secret: client.secret,
          redirect_uris: [...redirects],
          id_token_signed_response_alg: 'ES256',
        },
      ],
      jwks: { keys: [toJwk(signer)] },
      cookies: { keys: ['of this test'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'] },
      features: { devInteractions: { enabled: false } },
      findAccount: (_context, sub) => ({ accountId: sub, claims: async () => ({ ...issuer.person, sub }) }),
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      loadExistingGrant: async (context) => {
        const grant = new context.oidc.provider.Grant({
          clientId: context.oidc.client!.clientId,
          accountId: context.oidc.session!.accountId!,
        });
        grant.addOIDCScope('openid email');
        await grant.save();
        return grant;
      },
      ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    });
    const common = provider.callback();
    answer = async (request, response) => {
      if (!request.url!.startsWith('/interaction/')) return common(request, response);
      await provider.interactionFinished(request, response, { login: { accountId: issuer.person.sub } });
    };
  };
  const issuer: TestIssuer = {
    url,
    person: { sub: 'jane', email: 'jane@operator.test', email_verified: true },
    forgery: null,
    outage: null,
    requests: [],
    register: (others) => {
      redirects = others;
      start();
    },
    rotate: () => {
      signer = newSigner('second');
      start();
    },
    follow: (to) => follow(url, to),
    close,
  };
  start();
  return issuer;
}

/** The headers are not sent before the answer ends. */
function forgeAnswer(response: ServerResponse, forgery: Forgery, signer: Signer): void {
  const end = response.end.bind(response) as (text: string) => typeof response;
  response.end = ((chunk: string) => {
    const body = JSON.parse(String(chunk)) as { id_token?: string };
    if (body.id_token !== undefined) body.id_token = forge(body.id_token, forgery, signer);
    const text = JSON.stringify(body);
    response.setHeader('content-length', Buffer.byteLength(text));
    return end(text);
  }) as typeof response.end;
}

function forge(token: string, { claims = (one) => one, header = {}, key }: Forgery, signer: Signer): string {
  const parts = token.split('.').slice(0, 2);
  const [head, body] = parts.map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ ...head, ...header })}.${encode(claims(body!))}`;
  if (key === null) return `${text}.`;
  const made = sign('sha256', Buffer.from(text), { key: key ?? signer.key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${made.toString('base64url')}`;
}

async function follow(issuer: string, to: string): Promise<string> {
  const jar = new Map<string, string>();
  for (let hop = 0; hop < 10 && to.startsWith(issuer); hop++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(to, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]!.split(/=(.*)/s);
      jar.set(name, value);
    }
    const next = answer.headers.get('location');
    if (next === null) throw new Error(`the provider stops with ${answer.status}: ${await answer.text()}`);
    to = new URL(next, to).href;
  }
  return to;
}
