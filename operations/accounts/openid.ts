/**
 * Signing in at an OpenID Connect provider: the authorization code flow with PKCE, state and nonce. A flow belongs to the
 * browser that began it and to one provider, whose return address no other provider has.
 */
import { randomBytes } from 'node:crypto';
import * as oidc from 'openid-client';
import { putChallenge, takeChallenge } from '../../db/control/accountchallenges.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import { createIssuerFetch, type IssuerFetchOptions } from './issuerfetch.js';
import { hashCode } from './people.js';
import { type Provider, readClientSecret } from './provider.js';

const flowMs = 10 * 60_000;
const documentMs = 60 * 60_000;
/** After a failure the provider is not asked again for this time, however many people try. */
const failureMs = 5_000;
const timeLimitSeconds = 10;
const mostAtOnce = 20;

/** `unreachable`: it does not answer, or not as a provider does. */
export type OpenIdProblem = 'unreachable' | 'outdated' | 'cancelled' | 'invalid';

export class OpenIdError extends Error {
  override name = 'OpenIdError';
  constructor(
    readonly problem: OpenIdProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface BegunFlow {
  /** Where the browser goes. */
  to: string;
  /** Of the browser's cookie. */
  secret: string;
}

export interface FlowWishes {
  /** Of the provider: it is registered there in exactly this form. */
  returnTo: string;
  /** A path of the console to go on at. */
  next: string;
  /** The hash of the invitation whose page began it. */
  invitation: string | null;
  /** The person signs in at the provider again, even where its session goes on. */
  isFresh: boolean;
}

/** As the provider names the person who has signed in there. */
export interface ProvenIdentity {
  subject: string;
  email: string | null;
  isVerified: boolean;
  /** When the person signed in at the provider; 0: it does not say, and was not asked to have the person sign in again. */
  authenticatedAt: number;
  next: string;
  invitation: string | null;
}

export interface OpenIdDeps {
  workplace: Workplace;
  version: string;
  /** In ms, and never going back. */
  clock: () => number;
  fetch?: IssuerFetchOptions;
}

export interface OpenId {
  /** @throws OpenIdError `unreachable`; OperationError `failed` for an unusable client secret */
  begin(provider: Provider, wishes: FlowWishes): Promise<BegunFlow>;
  /**
   * Ends a flow with the parameters that the browser brings from the provider.
   * @throws OpenIdError; OperationError `unavailable` while too many people return at once
   */
  finish(provider: Provider, returned: Returned): Promise<ProvenIdentity>;
  /**
   * Where a person signs out at the provider (OpenID Connect RP-Initiated Logout 1.0); null: it offers no such page, or can't be
   * reached. The address names the client alone: no ID token is kept for it, and no address to come back to has to be registered.
   */
  leave(provider: Provider): Promise<string | null>;
}

export interface Returned {
  returnTo: string;
  /** Of the address, with its question mark. */
  query: string;
  /** Of the browser's cookie. */
  secret: string;
}

interface KnownProvider {
  metadata: Promise<oidc.ServerMetadata>;
  until: number;
}

export function createOpenId(deps: OpenIdDeps): OpenId {
  const { workplace } = deps;
  const known = new Map<string, KnownProvider>();
  let atWork = 0;

  /** The documents of a provider, read once an hour. Its keys are read at each sign-in, so that a withdrawn one is refused at once. */
  const findMetadata = (provider: Provider): Promise<oidc.ServerMetadata> => {
    const name = JSON.stringify([provider.issuer, provider.allowHttp, provider.allowPrivate]);
    const found = known.get(name);
    if (found !== undefined && deps.clock() < found.until) return found.metadata;
    const metadata = discover(deps, provider);
    const entry = { metadata, until: deps.clock() + documentMs };
    metadata.catch(() => {
      entry.until = deps.clock() + failureMs;
    });
    known.delete(name);
    known.set(name, entry);
    if (known.size > 2_000) known.delete(known.keys().next().value!);
    return metadata;
  };

  const configure = async (provider: Provider): Promise<oidc.Configuration> => {
    const metadata = await findMetadata(provider);
    const secret = await readClientSecret(workplace, provider);
    const config = new oidc.Configuration(metadata, provider.clientId, {}, authenticate(metadata, secret));
    config.timeout = timeLimitSeconds;
    config[oidc.customFetch] = createIssuerFetch(provider, deps.version, deps.fetch) as oidc.CustomFetch;
    if (provider.allowHttp) oidc.allowInsecureRequests(config);
    // Without it the signature of the ID token would not be checked, since it comes by TLS.
    oidc.enableNonRepudiationChecks(config);
    return config;
  };

  return {
    async begin(provider, { returnTo, next, invitation, isFresh }) {
      const config = await configure(provider);
      const [secret, state, nonce] = [1, 2, 3].map(() => randomBytes(32).toString('base64url')) as [
        string,
        string,
        string,
      ];
      const verifier = oidc.randomPKCECodeVerifier();
      const to = oidc.buildAuthorizationUrl(config, {
        ...{ redirect_uri: returnTo, scope: provider.scopes, state, nonce },
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(isFresh && { prompt: 'login', max_age: '0' }),
      });
      const at = workplace.now();
      const data = {
        provider: provider.key,
        issuer: provider.issuer,
        state,
        nonce,
        verifier,
        next,
        invitation,
        isFresh,
      };
      await workplace.control.transact((tx) =>
        putChallenge(tx, { hash: hashCode(secret), kind: 'provider', data, createdAt: at, expiresAt: at + flowMs }),
      );
      return { to: to.href, secret };
    },

    async finish(provider, { returnTo, query, secret }) {
      // A stranger's request, which has no cookie of a flow, does not reach the database.
      if (!/^[\w-]{43}$/.test(secret)) throw noFlow();
      if (atWork >= mostAtOnce)
        throw new OperationError('unavailable', 'too many people sign in now: try it again in a minute');
      // Before the first wait: else any number could be at work at once.
      atWork++;
      try {
        const flow = await takeChallenge(workplace.control.write, hashCode(secret), 'provider', workplace.now());
        if (flow === null) throw noFlow();
        if (flow.provider !== provider.key || flow.issuer !== provider.issuer)
          throw new OpenIdError('invalid', 'another provider answered');
        const config = await configure(provider);
        return await prove(config, provider, flow as unknown as Flow, `${returnTo}${query}`, workplace.now());
      } finally {
        atWork--;
      }
    },

    async leave(provider) {
      const metadata = await findMetadata(provider).catch(() => null);
      const page = metadata?.end_session_endpoint;
      if (page === undefined || !isPage(page, provider)) return null;
      const address = new URL(page);
      address.searchParams.set('client_id', provider.clientId);
      return address.href;
    },
  };
}

const noFlow = () => new OpenIdError('outdated', 'the browser has no sign-in that waits');

/** Of the documents of a provider: the rest could be large, and is not used. */
const keptMembers = [
  ...(['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint'] as const),
  ...(['token_endpoint_auth_methods_supported', 'id_token_signing_alg_values_supported'] as const),
  ...(['userinfo_signing_alg_values_supported', 'authorization_response_iss_parameter_supported'] as const),
  'end_session_endpoint' as const,
];
const mostKeptLength = 20_000;

interface Flow {
  state: string;
  nonce: string;
  verifier: string;
  next: string;
  invitation: string | null;
  isFresh: boolean;
}

async function discover({ version, fetch }: OpenIdDeps, provider: Provider): Promise<oidc.ServerMetadata> {
  try {
    const config = await oidc.discovery(new URL(provider.issuer), provider.clientId, {}, oidc.None(), {
      timeout: timeLimitSeconds,
      execute: provider.allowHttp ? [oidc.allowInsecureRequests] : [],
      [oidc.customFetch]: createIssuerFetch(provider, version, fetch) as oidc.CustomFetch,
    });
    const metadata = config.serverMetadata();
    // The library accepts documents for any customer of a large provider where the issuer names none.
    if (new URL(metadata.issuer).href !== new URL(provider.issuer).href)
      throw new Error(`its documents have another issuer: ${metadata.issuer}`);
    for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const)
      if (!isPage(metadata[name], provider)) throw new Error(`its documents have no usable ${name}`);
    const kept = Object.fromEntries(
      keptMembers.map((name) => [name, metadata[name]]),
    ) as unknown as oidc.ServerMetadata;
    if (JSON.stringify(kept).length > mostKeptLength) throw new Error('its documents have too long values');
    return kept;
  } catch (cause) {
    throw new OpenIdError('unreachable', describe(cause), { cause });
  }
}

function isPage(address: string | undefined, { allowHttp }: Provider): boolean {
  if (address === undefined || !URL.canParse(address)) return false;
  const { protocol } = new URL(address);
  return protocol === 'https:' || (allowHttp && protocol === 'http:');
}

/** As the provider takes it; RFC 8414: the header is the usual way. */
function authenticate(metadata: oidc.ServerMetadata, secret: string | null): oidc.ClientAuth {
  if (secret === null) return oidc.None();
  const ways = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return ways.includes('client_secret_basic') ? oidc.ClientSecretBasic(secret) : oidc.ClientSecretPost(secret);
}

async function prove(
  config: oidc.Configuration,
  provider: Provider,
  flow: Flow,
  url: string,
  now: number,
): Promise<ProvenIdentity> {
  const { next, invitation, isFresh } = flow;
  try {
    const tokens = await oidc.authorizationCodeGrant(config, new URL(url), {
      ...{ expectedState: flow.state, expectedNonce: flow.nonce, pkceCodeVerifier: flow.verifier },
      idTokenExpected: true,
    });
    const claims = tokens.claims()!;
    const { sub: subject, auth_time: authTime } = claims;
    let all: Record<string, unknown> = claims;
    // Many providers put the address into the answer of their second endpoint alone.
    if (claims[provider.emailClaim] === undefined && config.serverMetadata().userinfo_endpoint !== undefined)
      all = await oidc.fetchUserInfo(config, tokens.access_token, subject);
    const email = all[provider.emailClaim];
    const isVerified = all[provider.verifiedClaim];
    return {
      subject,
      email: typeof email === 'string' ? email : null,
      isVerified: isVerified === true || isVerified === 'true',
      authenticatedAt: typeof authTime === 'number' ? authTime * 1000 : isFresh ? now : 0,
      ...{ next, invitation },
    };
  } catch (cause) {
    throw toProblem(cause);
  }
}

function toProblem(cause: unknown): OpenIdError {
  if (cause instanceof oidc.AuthorizationResponseError) {
    const wasCancelled = ['access_denied', 'login_required', 'interaction_required'].includes(cause.error);
    return new OpenIdError(wasCancelled ? 'cancelled' : 'invalid', describe(cause), { cause });
  }
  return new OpenIdError(isOutage(cause) ? 'unreachable' : 'invalid', describe(cause), { cause });
}

/** No answer, or the answer of a server that is out of order. */
function isOutage(cause: unknown): boolean {
  if (!(cause instanceof oidc.ClientError)) return !(cause instanceof oidc.ResponseBodyError);
  if (cause.cause instanceof Response) return cause.cause.status >= 500;
  return cause.code === undefined || cause.code === 'OAUTH_TIMEOUT';
}

/** For the log: without values of the answer, which may name a person. */
function describe(cause: unknown): string {
  if (cause instanceof oidc.AuthorizationResponseError || cause instanceof oidc.ResponseBodyError)
    return `the provider answered ${cause.error.slice(0, 100)}`;
  const { code, message, cause: inner } = cause as { code?: string; message: string; cause?: unknown };
  if (code === undefined && inner instanceof Error) return describe(inner);
  return code === undefined ? message.slice(0, 300) : `${message.slice(0, 300)} (${code})`;
}
