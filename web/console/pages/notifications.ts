/** Who gets mail about an organization. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { kindsOfMail, removeNotification, usualKindsOfMail } from '../../../operations/notify.js';
import { listNotifications, type Notification } from '../../../operations/notifyaddress.js';
import { addNotification, confirmNotification } from '../../../operations/notifycode.js';
import { html, type Value } from '../html.js';
import { field, notice, ofOrg, table, tag } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.notifications;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, account, token, form } = call;
  const all = await listNotifications(workplace, org.id);
  const mayChange = hasRight(account, 'org.members');
  const to = (rest: string) => ofOrg(org.id, `/notifications/${rest}`);
  const change = ({ address, state }: Notification): Value =>
    mayChange && [
      state === 'unconfirmed' &&
        html`<form method="post" action="${to('confirm')}" class="row">${token}<input type="hidden" name="address" value="${address}"><label class="hidden" for="code-${address}">${t.code(address)}</label><input id="code-${address}" name="code" inputmode="numeric" required><button class="quiet">${t.confirm}</button></form>`,
      html`<form method="post" action="${to('remove')}">${token}<input type="hidden" name="address" value="${address}"><button class="link">${t.remove}<span class="hidden"> ${address}</span></button></form>`,
    ];
  return {
    title: t.title,
    body: html`<div class="tight"><h1>${t.title}</h1><p class="lead">${t.lead}</p></div>
${workplace.settings.smtp === undefined && notice('wait', t.off)}
${table(
  t.title,
  [
    { title: t.address, cell: ({ address }) => address },
    { title: t.events, cell: ({ events }) => events.map((kind) => t.kinds[kind]).join(', ') },
    {
      title: t.state,
      cell: ({ state, reason }) => [tag(t.states[state][0], t.states[state][1]), reason !== null && ` ${reason}`],
    },
    { title: '', cell: change },
  ],
  all,
  t.empty,
)}
${
  mayChange &&
  html`<section class="card"><h2>${t.add}</h2><p class="soft">${t.addText}</p><form method="post" action="${to('add')}" class="stack">${token}
${field('address', t.address, { type: 'email', value: form.address })}
<fieldset class="tight"><legend>${t.events}</legend>${(kindsOfMail as (keyof typeof t.kinds)[]).map((kind) => html`<div class="check"><input type="checkbox" id="on-${kind}" name="on-${kind}" value="on"${usualKindsOfMail.includes(kind) && html` checked`}><label for="on-${kind}">${t.kinds[kind]}</label></div>`)}</fieldset>
<button>${t.submit}</button></form></section>`
}`,
  };
}

async function add({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const chosen = kindsOfMail.filter((kind) => form[`on-${kind}`] === 'on');
  await addNotification(workplace, org.id, form.address ?? '', chosen.length === 0 ? undefined : chosen.join(','));
  return { to: `${ofOrg(org.id, '/notifications')}?done=added` };
}

export const notificationRoutes: readonly ConsoleRoute[] = [
  orgPage('/notifications', 'org.read', show),
  orgAction('/notifications/add', 'org.members', '/notifications', add),
  orgAction('/notifications/confirm', 'org.members', '/notifications', async ({ workplace, org, form }) => {
    await confirmNotification(workplace, org.id, form.address ?? '', form.code ?? '');
    return { to: `${ofOrg(org.id, '/notifications')}?done=saved` };
  }),
  orgAction('/notifications/remove', 'org.members', '/notifications', async ({ workplace, org, form }) => {
    await removeNotification(workplace, org.id, form.address ?? '');
    return { to: `${ofOrg(org.id, '/notifications')}?done=removed` };
  }),
];
