/** The login keys of an organization on its page Connection: their last use, changes, those that wait, and the last connections. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { type LoginAttempt, listConnections } from '../../../operations/connections.js';
import { OperationError } from '../../../operations/error.js';
import { changeKeys, decideChange, listWaitingChanges, type WaitingChange } from '../../../operations/keyrequests.js';
import { readSources } from '../../../operations/keyterms.js';
import { type LoginKeyView, listKeys, revokeKey, showKey } from '../../../operations/loginkeys.js';
import { type Html, html, type Value } from '../html.js';
import { field, notice, ofOrg, select, table, tag, time } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction } from '../route.js';
import { judgeSent, shown } from '../shown.js';
import { texts } from '../texts/texts.js';

const t = texts.connection;
const graceMs = 7 * 86_400_000;
const mostKeyText = 16_000;
const shownConnections = 30;

const here = '/connection';

/** The keys, with the forms that change them. */
export async function showKeys(call: OrgCall): Promise<Html> {
  const { workplace, org, account } = call;
  const { keys, remarks } = await listKeys(workplace, org.id);
  const waiting = await listWaitingChanges(workplace, org.id);
  const mayChange = hasRight(account, 'org.keys');
  return html`<section class="stack"><h2>${t.keys}</h2>${remarks.map((remark) => notice('wait', remark))}${table(
    t.keys,
    [
      { title: t.key, cell: nameKey },
      {
        title: t.state,
        cell: ({ state, createdAt, expiresAt }) =>
          html`${tag(state === 'usable' ? 'good' : '', t.keyStates[state])}<br><span class="soft small">${t.added}: ${time(createdAt, org.timeZone)}${expiresAt !== null && html`<br>${t.expires}: ${time(expiresAt, org.timeZone)}`}</span>`,
      },
      {
        title: t.used,
        cell: ({ lastUsedAt, lastUsedFrom }) =>
          lastUsedAt === null ? t.never : [time(lastUsedAt, org.timeZone), ` ${lastUsedFrom ?? ''}`],
      },
      { title: t.from, cell: ({ sources }) => sources.join(', ') || t.anywhere },
      { title: '', cell: (key) => mayChange && changesOf(call, key) },
    ],
    keys,
    t.noKeys,
  )}</section>
${waiting.length > 0 && showWaiting(call, waiting)}
${mayChange && addForm(call)}`;
}

function nameKey({ fingerprint, label, addedBy }: LoginKeyView): Html {
  const by = addedBy?.startsWith('web:') === true ? t.addedBy(addedBy.slice('web:'.length)) : null;
  const words = [label, by].filter((word) => word !== null && word !== '').join(' · ');
  return html`<code class="print">${fingerprint}</code><br><span class="soft small">${words}</span>`;
}

function changesOf({ org, token, form }: OrgCall, { fingerprint, state, managedBy, sources }: LoginKeyView): Value {
  if (state === 'revoked' || managedBy !== null) return null;
  const hidden = html`${token}<input type="hidden" name="fingerprint" value="${fingerprint}">`;
  const id = `from-${fingerprint}`;
  const present = sources.join(', ');
  const isSent = form.fingerprint === fingerprint && form.from !== undefined;
  return html`<details${isSent && html` open`}><summary>${t.addresses}<span class="hidden"> ${fingerprint}</span></summary><form method="post" action="${ofOrg(org.id, `${here}/addresses`)}" class="stack">${hidden}${shown('from', present)}<div class="field"><label for="${id}">${t.from}</label><input id="${id}" name="from" value="${isSent ? form.from : present}" aria-describedby="${id}-hint"><span class="hint" id="${id}-hint">${t.fromHint}</span></div><button class="quiet">${t.saveAddresses}</button></form></details>
<form method="post" action="${ofOrg(org.id, `${here}/revoke`)}">${hidden}<button class="link">${t.revoke}<span class="hidden"> ${fingerprint}</span></button></form>`;
}

function showWaiting({ org, token, account }: OrgCall, waiting: readonly WaitingChange[]): Html {
  const may = hasRight(account, 'org.operate');
  const button = (id: number, verb: 'approve' | 'deny', word: string): Html =>
    html`<form method="post" action="${ofOrg(org.id, `${here}/decide`)}">${token}<input type="hidden" name="request" value="${id}"><button class="link" name="decision" value="${verb}">${word}<span class="hidden"> ${id}</span></button></form>`;
  return html`<section class="stack"><div class="tight"><h2>${t.waiting}</h2><p class="soft">${t.waitingText}</p></div>${table(
    t.waiting,
    [
      { title: t.change, cell: ({ kind }) => t.changes[kind] },
      { title: t.key, cell: ({ fingerprints }) => fingerprints.map((one) => html`<code class="print">${one}</code> `) },
      { title: t.from, cell: ({ sources, kind }) => sources?.join(', ') || (kind === 'replace' ? '' : t.anywhere) },
      { title: t.by, cell: ({ by }) => by.replace(/^web:/, '') },
      { title: t.added, cell: ({ at }) => time(at, org.timeZone) },
      { title: '', cell: ({ id }) => may && [button(id, 'approve', t.approve), ' ', button(id, 'deny', t.deny)] },
    ],
    waiting,
    '',
  )}</section>`;
}

function addForm({ org, token, form: sent, workplace }: OrgCall): Html {
  // Of a key that exists: its own form shows them again.
  const form = sent.fingerprint === undefined ? sent : {};
  const waits = workplace.isOfOrg === true && org.options.keyChanges === 'operator';
  return html`<section class="card"><h2>${t.add}</h2>${waits && html`<p>${t.addWaits}</p>`}<form method="post" action="${ofOrg(org.id, `${here}/keys`)}" class="stack">${token}
${field('key', t.public, { isLong: true, hint: t.publicHint, value: form.key, most: mostKeyText })}
${field('label', t.label, { hint: t.labelHint, isRequired: false, value: form.label, most: 200 })}
${field('from', t.from, { hint: t.fromHint, isRequired: false, value: form.from, most: 2000 })}
${select(
  'others',
  t.replace,
  [
    { value: 'keep', text: t.keepOthers },
    { value: 'replace', text: t.replaceOthers },
  ],
  form.others,
)}<button>${waits ? t.ask : t.submit}</button></form></section>`;
}

/** The last attempts to log in, with what to do about those that were refused. */
export async function showConnections({ workplace, org }: OrgCall): Promise<Html> {
  const all = await listConnections(workplace, org.id, shownConnections);
  return html`<section class="stack"><div class="tight"><h2>${t.connections}</h2><p class="soft">${workplace.isOfOrg === true ? t.connectionsText : t.connectionsOfAll}</p></div>${connectionTable(all, org.timeZone)}</section>`;
}

export function connectionTable(attempts: readonly LoginAttempt[], timeZone: string): Html {
  return table(
    t.connections,
    [
      { title: t.at, cell: ({ at }) => time(at, timeZone) },
      {
        title: t.result,
        cell: ({ reason }) =>
          reason === null
            ? tag('good', t.accepted)
            : html`<div class="wide">${tag('bad', t.refused)} ${t.reasons[reason]?.[0] ?? reason}<br><span class="soft small">${t.reasons[reason]?.[1]}</span></div>`,
      },
      {
        title: t.address,
        cell: ({ address, client }) => html`${address}<br><span class="soft small">${client}</span>`,
      },
      {
        title: t.key,
        cell: ({ fingerprint, credential }) => [
          html`<code class="print">${fingerprint}</code>`,
          credential === null && ` ${t.stranger}`,
        ],
      },
    ],
    attempts,
    t.noConnections,
  );
}

const readFrom = (text: string | undefined) =>
  text === undefined || text.trim() === '' ? undefined : readSources(text);

async function add({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const { key = '', label = '', from, others } = form;
  const kind = others === 'replace' ? 'replace' : 'add';
  const change = { kind, key, label: label.trim() || undefined, sources: readFrom(from), graceMs } as const;
  const result = await changeKeys(workplace, org.id, change);
  return { to: `${ofOrg(org.id, here)}?done=${result === 'done' ? 'added' : 'requested'}` };
}

async function setAddresses({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const sources = readFrom(form.from) ?? [];
  const { fingerprint, sources: present } = await showKey(workplace, org.id, form.fingerprint ?? '');
  const sent = judgeSent({ ...form, from: form.from ?? '' }, 'from', present.join(', '));
  if (sent === 'outdated') throw new OperationError('refused', t.outdated(fingerprint));
  if (sent === 'unchanged') return { to: `${ofOrg(org.id, here)}?done=saved` };
  const result = await changeKeys(workplace, org.id, { kind: 'addresses', key: fingerprint, sources });
  return { to: `${ofOrg(org.id, here)}?done=${result === 'done' ? 'saved' : 'requested'}` };
}

async function revoke({ workplace, org, form }: OrgCall): Promise<Outcome> {
  await revokeKey(workplace, org.id, form.fingerprint ?? '');
  return { to: `${ofOrg(org.id, here)}?done=revoked` };
}

async function decide({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const isYes = form.decision === 'approve';
  await decideChange(workplace, org.id, Number(form.request), isYes);
  return { to: `${ofOrg(org.id, here)}?done=${isYes ? 'saved' : 'removed'}` };
}

export const keyRoutes: readonly ConsoleRoute[] = [
  orgAction(`${here}/keys`, 'org.keys', here, add),
  orgAction(`${here}/addresses`, 'org.keys', here, setAddresses),
  orgAction(`${here}/revoke`, 'org.keys', here, revoke),
  orgAction(`${here}/decide`, 'org.operate', here, decide),
];
