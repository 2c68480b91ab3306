/** How an organization's HR system connects, and the keys with which it may log in. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { listHostKeys } from '../../../operations/hostkeys.js';
import { rotateKeys } from '../../../operations/loginkeyrotation.js';
import { addKeys, type LoginKeyView, listKeys, revokeKey } from '../../../operations/loginkeys.js';
import { html, type Value } from '../html.js';
import { facts, field, notice, ofOrg, select, table, tag, time } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.connection;
const graceMs = 7 * 86_400_000;
const mostKeyText = 64_000;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, account, token, form } = call;
  const { host, port } = addressOf(call);
  const hostKeys = await listHostKeys(workplace, { host, port });
  const { keys, remarks } = await listKeys(workplace, org.id);
  const mayChange = hasRight(account, 'org.keys');
  const revoke = ({ fingerprint, state, managedBy }: LoginKeyView): Value =>
    mayChange &&
    state !== 'revoked' &&
    managedBy === null &&
    html`<form method="post" action="${ofOrg(org.id, '/connection/revoke')}">${token}<input type="hidden" name="key" value="${fingerprint}"><button class="link">${t.revoke}<span class="hidden"> ${fingerprint}</span></button></form>`;
  return {
    title: t.title,
    body: html`<div class="tight"><h1>${t.title}</h1><p class="lead">${t.lead}</p></div>
${!org.enabled && notice('wait', t.off)}
<div class="card">${facts([
      [t.protocol, t.sftp],
      [t.host, html`<code>${host}</code>`],
      [t.port, html`<code>${port}</code>`],
      [t.user, html`<code>${org.id}</code>`],
      [t.folder, html`<code>/</code>`],
    ])}</div>
<section class="stack"><div class="tight"><h2>${t.fingerprints}</h2><p class="soft">${t.fingerprintsText}</p></div>
${
  hostKeys.length === 0
    ? html`<p class="soft">${t.noHostKeys}</p>`
    : html`<div class="card">${facts(hostKeys.map(({ type, fingerprint, state }) => [`${type} (${t.states[state] ?? state})`, html`<code>${fingerprint}</code>`]))}
<details><summary>${t.known}</summary><pre tabindex="0">${hostKeys.map(({ knownHosts }) => knownHosts).join('\n')}</pre></details></div>`
}</section>
<section class="stack"><h2>${t.steps}</h2><ol class="steps">${t.stepList.map((step) => html`<li>${step}</li>`)}</ol></section>
<section class="stack"><h2>${t.keys}</h2>${remarks.map((remark) => notice('wait', remark))}${table(
      t.keys,
      [
        { title: t.key, cell: ({ fingerprint }) => html`<code>${fingerprint}</code>` },
        { title: t.label, cell: ({ label }) => label },
        { title: t.state, cell: ({ state }) => tag(state === 'usable' ? 'good' : '', state) },
        { title: t.added, cell: ({ createdAt }) => time(createdAt, org.timeZone) },
        {
          title: t.used,
          cell: ({ lastUsedAt, lastUsedFrom }) =>
            lastUsedAt === null ? t.never : [time(lastUsedAt, org.timeZone), ` ${lastUsedFrom ?? ''}`],
        },
        { title: '', cell: revoke },
      ],
      keys,
      t.noKeys,
    )}</section>
${
  mayChange &&
  html`<section class="card"><h2>${t.add}</h2><form method="post" action="${ofOrg(org.id, '/connection/keys')}" class="stack">${token}
${field('key', t.public, { isLong: true, hint: t.publicHint, value: form.key, most: mostKeyText })}
${field('label', t.label, { hint: t.labelHint, isRequired: false, value: form.label, most: 200 })}
${select(
  'others',
  t.replace,
  [
    { value: 'keep', text: t.keepOthers },
    { value: 'replace', text: t.replaceOthers },
  ],
  form.others,
)}<button>${t.submit}</button></form></section>`
}`,
  };
}

/** The console and the SFTP server have one name, unless the operator says otherwise. */
function addressOf({ workplace: { settings }, origin }: OrgCall): { host: string; port: number } {
  return { host: new URL(origin).hostname.replace(/^\[|\]$/g, ''), port: settings.port };
}

async function add({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const { key = '', label = '', others } = form;
  const terms = label.trim() === '' ? {} : { label: label.trim() };
  if (others === 'replace') await rotateKeys(workplace, org.id, key, terms, { graceMs, replaces: [], managed: false });
  else await addKeys(workplace, org.id, key, terms);
  return { to: `${ofOrg(org.id, '/connection')}?done=added` };
}

async function revoke({ workplace, org, form }: OrgCall): Promise<Outcome> {
  await revokeKey(workplace, org.id, form.key ?? '');
  return { to: `${ofOrg(org.id, '/connection')}?done=revoked` };
}

export const connectionRoutes: readonly ConsoleRoute[] = [
  orgPage('/connection', 'org.read', show),
  orgAction('/connection/keys', 'org.keys', '/connection', add),
  orgAction('/connection/revoke', 'org.keys', '/connection', revoke),
];
