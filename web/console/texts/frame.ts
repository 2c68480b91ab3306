/** Texts of the frame around every page, of sign-in, and of a person's own account. */
import { many } from './words.js';

export const frame = {
  language: 'en',
  brand: 'Dropslot',
  skip: 'Skip to the content',
  signOut: 'Sign out',
  navigation: 'Pages',
  ofServer: 'All organizations',
  version: (version: string) => `Dropslot ${version}`,
  times: (timeZone: string) => `Times are in ${timeZone === 'UTC' ? 'UTC' : `the time zone ${timeZone}`}`,
  done: {
    saved: 'Saved.',
    backup: 'Asked for: the server makes the backup now.',
    approved: 'Approved: the import begins now.',
    requested: 'Asked for: your operator decides about it.',
    replayed: 'The events are delivered again, by the running server.',
    announced: 'Announced: clients that connect from now on can learn the new key.',
    activated: 'Activated: the next connections get the new key.',
    sent: 'The mail has been sent.',
    undone: 'The undo has been started.',
    discarded: 'Discarded: nothing of the files was applied.',
    imported: 'The import has been started.',
    removed: 'Removed.',
    ended: 'Ended.',
    added: 'Added.',
    forgiven: 'Forgiven: the address may connect again within seconds.',
    revoked: 'Revoked: it can no longer be used.',
    password: 'Your password is changed, and your other sessions have ended.',
    enabled: 'SFTP access is enabled.',
    disabled: 'SFTP access is disabled, and its sessions have ended.',
  } as Readonly<Record<string, string>>,
  before: 'Previous page',
  next: 'Next page',
  pages: 'More pages',
};

/** In the place of commands, for people who have none. */
export const messages = {
  askOperator: 'ask your operator',
  askToAllow: ', or ask your operator to allow such names',
  aliasesHere: ', or choose what the column means, on the page',
  aliases: (page: string) =>
    `, or ask an admin of your organization to choose what the column means, on the page "${page}"`,
};

export const errors = {
  missing: 'This page does not exist',
  missingText: 'The page or the organization does not exist, or your account does not include it.',
  forbidden: 'Your role does not include this',
  forbiddenText: 'Ask a person with the role "owner" for another role, or for the change itself.',
  forbiddenOfOrg: 'Ask an admin of your organization, or your operator.',
  foreign: 'The form was not sent from this console',
  foreignText: (origin: string) =>
    `For your safety the console accepts forms of its own pages only. Open ${origin} in the browser, and send the form again. If that is not the address of your console, its operator must set consoleUrl.`,
  outdated: 'The form is out of date',
  outdatedText: 'You signed in again since the page was loaded. Open the page again, and repeat the change.',
  failed: 'That was not possible',
  busy: 'Too many requests',
  wait: (seconds: number) => `Wait for ${many(seconds, 'second')}, then try again.`,
  defect: 'Something went wrong',
  defectText: (id: string) =>
    `This is a defect of Dropslot. The operator finds the details in the server's log, under ${id}.`,
  back: 'Go to the start page',
};

export const signIn = {
  title: 'Sign in',
  email: 'Email',
  password: 'Password',
  code: 'Code of your authenticator app',
  codeHint: 'The 6 digits that it shows now; or one of your recovery codes.',
  submit: 'Sign in',
  with: (label: string) => `Sign in with ${label}`,
  passkey: 'Sign in with a passkey',
  passkeyProblem: 'The browser gave no passkey. Try it again, or sign in another way.',
  passkeyWrong: 'This passkey can not be used here. Sign in another way, and look at the passkeys of your account.',
  passkeyOutdated: 'The request has expired. Try it again.',
  wrong: 'Email, password and code do not fit together. Check all three; a code can be used once.',
  help: 'Does your organization have a sign-in of its own? Open its address: the menu of that sign-in has it, or ask your admin. No account, or no access to your app? Ask an admin of your organization, or your operator, for an invitation.',
};

export const provider = {
  lead: 'The page of your organization opens, where you sign in as always.',
  others: 'Sign in another way',
  left: 'You are signed out',
  leftText: (label: string) => `You are signed out of this console. At ${label} you are still signed in.`,
  leave: (label: string) => `Sign out at ${label}, too`,
  again: 'Sign in again',
  unknown: 'This address of sign-in is not in use. Ask your operator for the present one.',
  otherWay: 'Try it again, or sign in with your password.',
  later: 'Try it again later; until then ask your operator.',
  problems: {
    unreachable: (label: string) => `The sign-in of ${label} can not be reached now.`,
    outdated: () => 'This sign-in has expired, or was begun in another browser. Begin it again.',
    cancelled: (label: string) => `The sign-in was cancelled at ${label}. Begin it again.`,
    invalid: (label: string) =>
      `The answer of ${label} was not valid. Begin the sign-in again; if that does not help, ask your operator.`,
  },
  refusals: {
    unverified: 'The provider does not confirm your email address. Ask the people who manage it.',
    domain: 'Addresses of this domain do not sign in here. Ask your operator.',
    unknown:
      'No account here has your email address, or its invitation has expired. Ask an admin of your organization, or your operator, for an invitation.',
    other: 'The account with your email address belongs to another person of the provider. Ask for a new invitation.',
    invitation:
      'The invitation is for another email address than yours at the provider, or has expired. Ask for an invitation to that address.',
  },
};

export const invitation = {
  title: 'Set up your account',
  lead: (email: string) => `For ${email}. It takes a password, and an authenticator app on your phone or computer.`,
  leadProvider: (email: string) => `For ${email}.`,
  provider: 'You sign in at your organization, with the same email address.',
  providerOr:
    'Sign in at your organization, with the same email address; or choose a password and an authenticator app below.',
  password: 'New password',
  passwordHint: (least: number) => `At least ${least} characters; several words are easy to remember.`,
  app: 'Authenticator app',
  scan: 'Scan the image with the app; or type this key into it:',
  qr: 'QR code with the key for the authenticator app',
  code: 'Code that the app shows now',
  codeHint: '6 digits',
  submit: 'Set up the account',
  used: 'This invitation can no longer be used',
  usedText: 'It was used, replaced by a newer one, or has expired. Ask the person who invited you for a new one.',
  recovery: 'Your recovery codes',
  recoveryText:
    'Each of these codes signs in once in place of the app: for a phone that is lost. Print them, or keep them in a password manager. They are not shown again.',
  go: 'I have kept them: go on',
};

export const account = {
  title: 'Your account',
  email: 'Email',
  role: 'Role',
  organization: 'Organization',
  sessions: 'Sessions',
  sessionsText:
    'Browsers that are signed in with your account. A session ends after an hour without use, and after 12 hours.',
  browser: 'Browser',
  address: 'Address',
  begun: 'Signed in',
  seen: 'Last used',
  method: 'By',
  methods: { password: 'password', passkey: 'passkey', provider: 'provider', invitation: 'invitation' },
  provider: 'Signs in at',
  ways: 'Password and passkeys',
  atProvider: (label: string) => `You sign in at ${label}, and need neither a password nor a passkey here.`,
  noPassword: 'Your account has no password. To get one, ask for a new invitation.',
  passkeys: 'Passkeys',
  passkeysText:
    'A passkey signs you in with the lock of your phone, computer or security key, without a password and a code. Remove any that you do not know.',
  passkeyName: 'Name',
  passkeyNameHint: 'Such as "work laptop": it tells your passkeys apart.',
  passkeyProblem: 'The browser made no passkey. Try it again, or use another device.',
  addPasskey: 'Add a passkey',
  added: 'Added',
  remove: 'Remove',
  noPasskeys: 'None yet.',
  mostPasskeys: (most: number) => `You have ${most} passkeys, and can have no more: remove one that you do not use.`,
  signInAgain: 'You signed in some time ago. To add a passkey,',
  again: 'sign in again',
  noSite: 'The console has no host name, which passkeys need: its operator must set consoleUrl.',
  present: 'this one',
  end: 'End',
  endOthers: 'End all other sessions',
  unknownBrowser: 'unknown',
  password: 'Change the password',
  now: 'Present password',
  wanted: 'New password',
  change: 'Change the password',
  factor: 'Authenticator app and recovery codes',
  factorText: 'For a new app or new recovery codes ask for a new invitation; the present ones work until you use it.',
  roles: {
    owner: 'Owner: everything, and who may sign in',
    operator: 'Operator: all organizations',
    'read-only': 'Read-only: sees all organizations',
    auditor: 'Auditor: the audit trail',
    admin: 'Admin: decides about imports, keys and members',
    viewer: 'Viewer: sees imports and people',
  },
};
