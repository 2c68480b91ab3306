/** The web console over a test's databases, asked without a network; and people who have signed in. */
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import { createSilentLogger } from '../../config/logger.js';
import { type AuditRecord, readRecords } from '../../db/control/audit.js';
import type { Org } from '../../db/control/orgs.js';
import { totpCode } from '../../keys/login/totp.js';
import { acceptInvitation, generateTotpSecret } from '../../operations/accounts/credentials.js';
import { inviteAccount } from '../../operations/accounts/people.js';
import { beginSession } from '../../operations/accounts/sessions.js';
import type { Workplace } from '../../operations/workplace.js';
import { createConsole } from '../../web/console/console.js';
import { lateBody } from './api.js';
import { Company, importMoment } from './company.js';
import { openFresh, type TestDatabases } from './databases.js';
import type { Scope } from './temporary.js';
import { workplaceOn } from './workplace.js';

export const origin = 'http://console.test';
export const testPassword = 'correct horse battery staple';

export interface Shown {
  status: number;
  headers: Headers;
  text: string;
}

export interface Asking {
  headers?: Record<string, string>;
  /** Of a form: done when the request has begun to read it; the form arrives then. */
  whileArriving?: () => Promise<unknown>;
  address?: string;
}

/** A person with a browser. */
export interface Visitor {
  get(path: string, asking?: Asking): Promise<Shown>;
  /** Sends a form, with the token that pages of the session have. */
  post(path: string, form: Record<string, string | File>, asking?: Asking): Promise<Shown>;
  cookie: string;
}

export interface Person extends Visitor {
  email: string;
  totpSecret: string;
  recovery: string[];
}

export interface TestConsole {
  place: Workplace;
  databases: TestDatabases;
  clock: { now: number; ms: number };
  /** The organizations `acme` and `other`. */
  acme: Company;
  other: Company;
  app: ReturnType<typeof createConsole>;
  visitor(cookie?: string): Visitor;
  /** A person who has signed in; `isSet`: also with a password and a second factor, which take a while to make. */
  person(role: string, org?: string, isSet?: boolean): Promise<Person>;
}

export async function openTestConsole(
  t: TestContext,
  {
    open = (scope) => openFresh(scope, 'sqlite'),
    change = {},
    url = origin,
  }: { open?: (scope: Scope) => Promise<TestDatabases>; change?: Partial<Org>; url?: string | null } = {},
): Promise<TestConsole> {
  const databases = await open(t);
  const acme = await Company.join(databases, { id: 'acme', name: 'Acme Corp', ...change });
  const other = await Company.join(databases, { id: 'other', name: 'Other Ltd', ownerEmail: 'owner@other.test' });
  const clock = { now: importMoment, ms: 0 };
  const place: Workplace = { ...(await workplaceOn(t, databases.settings)), now: () => clock.now };
  const deps = { workplace: place, open: openWorkplace, version: '0.0.0', logger: createSilentLogger() };
  const app = createConsole({ ...deps, url, isSecure: false, clock: () => clock.ms });
  const visitor = (cookie = ''): Visitor => {
    const ask = async (path: string, init: RequestInit, { headers = {}, address = '192.0.2.1' }: Asking = {}) => {
      const sent = { ...(cookie !== '' && { cookie: `dropslot=${cookie}` }), ...headers };
      const answer = await app.request(
        origin + path,
        { ...init, headers: sent },
        { incoming: { socket: { remoteAddress: address } } },
      );
      return { status: answer.status, headers: answer.headers, text: await readText(answer) };
    };
    return {
      cookie,
      get: (path, asking) => ask(path, {}, asking),
      post: (path, form, asking = {}) => {
        const isMultipart = Object.values(form).some((value) => value instanceof File);
        const body = isMultipart ? new FormData() : new URLSearchParams();
        for (const [name, value] of Object.entries({ _token: formToken(cookie), ...form }))
          body.append(name, value as string);
        const headers: Record<string, string> = { origin, 'sec-fetch-site': 'same-origin', ...asking.headers };
        const { whileArriving } = asking;
        if (whileArriving === undefined) return ask(path, { method: 'POST', body }, { ...asking, headers });
        headers['content-type'] = 'application/x-www-form-urlencoded';
        const late = { body: lateBody(body.toString(), whileArriving), duplex: 'half' } as const;
        return ask(path, { method: 'POST', ...late } as RequestInit, { ...asking, headers });
      },
    };
  };
  let people = 0;
  const person = async (role: string, org?: string, isSet = false): Promise<Person> => {
    const email = `${role}${++people}@${org ?? 'operator'}.test`;
    const invited = await inviteAccount(place, { email, role, org });
    const totpSecret = generateTotpSecret();
    const chosen = { password: testPassword, totpSecret, totpCode: totpCode(totpSecret, clock.now) };
    const { account, recovery } = isSet
      ? await acceptInvitation(place, invited.code, chosen)
      : { account: invited.account, recovery: [] };
    const client = { address: '192.0.2.1', agent: 'test' };
    const proof = { method: 'invitation', factor: 'invitation' } as const;
    const cookie = (await beginSession(place, account, client, proof, () => true))!;
    return { ...visitor(cookie), email, totpSecret, recovery };
  };
  return { place, databases, clock, acme, other, app, visitor, person };
}

/** Of a stream of events the first one: it may have no end. */
async function readText(answer: Response): Promise<string> {
  if (answer.headers.get('content-type') !== 'text/event-stream') return answer.text();
  const reader = answer.body!.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return Buffer.from(value ?? []).toString('utf8');
}

/** All records of the audit trail. */
export async function recordsOf({ place }: Pick<TestConsole, 'place'>): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of readRecords(place.control.read)) records.push(record);
  return records;
}

function formToken(cookie: string): string {
  return createHash('sha256').update(`form ${cookie}`).digest('base64url');
}
