/** The form of a page or an action of the console: one row of the table from which it is served, and its access tested. */
import type { Account, AccountRight } from '../../operations/accounts/rights.js';
import type { AccountSession, PasswordQueue } from '../../operations/accounts/sessions.js';
import type { Org } from '../../operations/orgdetails.js';
import type { Turns } from '../../operations/places.js';
import type { OpenWorkplace, Workplace } from '../../operations/workplace.js';
import type { Limiter } from '../api/limiter.js';
import type { Content } from '../api/route.js';
import type { Html } from './html.js';

export interface Call {
  /** Its `org` knows only the organization of the account, and its actor is the person. */
  workplace: Workplace;
  open: OpenWorkplace;
  version: string;
  account: Account;
  session: AccountSession;
  /** Names of the work that this process does one at a time. */
  busy: Set<string>;
  /** Turns of the checks of files. */
  checks: Turns;
  passwords: PasswordQueue;
  /** Of one account: a session that was stolen must not find the password by guesses, nor keep sign-ins waiting. */
  guesses: Limiter;
  /** The organization of the path; null: the path names none. */
  org: Org | null;
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, string>>;
  /** Values of a form. Of a page that is shown again after its form failed, the values that were sent. */
  form: Readonly<Record<string, string>>;
  /** A file of a form. */
  file: { name: string; bytes: Buffer } | null;
  /** Why the form could not be carried out, in a sentence. */
  problem: string | null;
  /** The hidden field of every form. */
  token: Html;
  /** Of the console in browsers: `https://hr-files.example`. */
  origin: string;
  path: string;
  /** The browser has left. */
  signal: AbortSignal;
}

export type OrgCall = Call & { org: Org };

export interface Page {
  title: string;
  body: Html;
  /** A browser without scripts loads the page again after this time: for progress. */
  refreshSeconds?: number;
  /** The path of a script of the console. */
  script?: string;
  /** Of its times; without it that of the organization, or UTC. */
  timeZone?: string;
}

/** After a form: the browser gets this page. */
export interface Redirect {
  to: string;
}

export type Outcome = Page | Redirect | (Content & { type?: string });

export interface ConsoleRoute {
  method: 'GET' | 'POST';
  /** With {names} of the parameters; `{org}` is always an organization. */
  path: string;
  /** null: every account. */
  right: AccountRight | null;
  /** Of a form: the path of the page that is shown again when it can't be carried out. */
  page: string | null;
  /** Of a form: it has a file. */
  takesFile?: boolean;
  handle(call: Call): Promise<Outcome>;
}

export function page(path: string, right: AccountRight | null, handle: (call: Call) => Promise<Outcome>): ConsoleRoute {
  return { method: 'GET', path, right, page: null, handle };
}

/** @param on the path of the page with the form */
export function action(
  path: string,
  right: AccountRight | null,
  on: string,
  handle: (call: Call) => Promise<Outcome>,
): ConsoleRoute {
  return { method: 'POST', path, right, page: on, handle };
}

/** As page, below `/orgs/{org}`. */
export function orgPage(path: string, right: AccountRight, handle: (call: OrgCall) => Promise<Outcome>): ConsoleRoute {
  return { method: 'GET', path: `/orgs/{org}${path}`, right, page: null, handle: handle as ConsoleRoute['handle'] };
}

/** As action, below `/orgs/{org}`. */
export function orgAction(
  path: string,
  right: AccountRight,
  on: string,
  handle: (call: OrgCall) => Promise<Outcome>,
): ConsoleRoute {
  return action(`/orgs/{org}${path}`, right, `/orgs/{org}${on}`, handle as ConsoleRoute['handle']);
}
