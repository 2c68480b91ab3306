/** Who gets mail about an organization. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { OperationError } from '../../../operations/error.js';
import {
  enableNotification,
  kindsOfMail,
  removeNotification,
  setNotification,
  testNotification,
  usualKindsOfMail,
} from '../../../operations/notify.js';
import {
  findByAddress,
  listNotifications,
  type Notification,
  toNotification,
} from '../../../operations/notifyaddress.js';
import { addNotification, confirmNotification, resendCode } from '../../../operations/notifycode.js';
import { type Html, html, type Value } from '../html.js';
import { field, notice, ofOrg, table, tag } from '../layout.js';
import { tell } from '../message.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { judgeSent, shown } from '../shown.js';
import { texts } from '../texts/texts.js';

const t = texts.notifications;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, account, token, form } = call;
  const all = await listNotifications(workplace, org.id);
  const mayChange = hasRight(account, 'org.members');
  const to = (rest: string) => ofOrg(org.id, `/notifications/${rest}`);
  const change = (one: Notification): Value => mayChange && changesOf(call, one);
  return {
    title: t.title,
    body: html`<div class="tight"><h1>${t.title}</h1><p class="lead">${t.lead}</p></div>
${workplace.settings.smtp === undefined && notice('wait', t.off)}
${table(
  t.title,
  [
    { title: t.address, cell: ({ address }) => address },
    {
      title: t.events,
      cell: ({ events }) => html`<div class="wide">${events.map((kind) => t.kinds[kind]).join(', ')}</div>`,
    },
    {
      title: t.state,
      cell: ({ state, reason }) => [
        tag(t.states[state][0], t.states[state][1]),
        reason !== null && [' ', tell(call, reason)],
      ],
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
${kindFields('', usualKindsOfMail)}
<button>${t.submit}</button></form></section>`
}`,
  };
}

/** The forms of one address, by its state. */
function changesOf({ org, token, form }: OrgCall, { address, state, events }: Notification): Value {
  const isSent = form.address === address && form['shown:kinds'] !== undefined;
  const to = (rest: string) => ofOrg(org.id, `/notifications/${rest}`);
  const hidden = html`${token}<input type="hidden" name="address" value="${address}">`;
  const button = (verb: string, word: string): Html =>
    html`<form method="post" action="${to(verb)}">${hidden}<button class="link">${word}<span class="hidden"> ${address}</span></button></form>`;
  const confirm = html`<form method="post" action="${to('confirm')}" class="row">${hidden}<div class="field"><label for="code-${address}">${t.code}<span class="hidden"> ${address}</span></label><input id="code-${address}" name="code" inputmode="numeric" autocomplete="one-time-code" required></div><button class="quiet">${t.confirm}</button></form>`;
  const choose = html`<details${isSent && html` open`}><summary>${t.change}<span class="hidden"> ${address}</span></summary><form method="post" action="${to('set')}" class="stack">${hidden}${shown('kinds', orderKinds(events))}${kindFields(address, isSent ? readKinds(form) : events)}<button class="quiet">${t.save}</button></form></details>`;
  return [
    state === 'unconfirmed' ? [confirm, button('resend', t.resend)] : choose,
    state === 'enabled' && button('test', t.test),
    state === 'disabled' && button('enable', t.enable),
    button('remove', t.remove),
  ];
}

/** @param of the address, since several such fields are on the page; '': a new one. */
function kindFields(of: string, chosen: readonly string[]): Html {
  return html`<fieldset class="tight"><legend>${t.events}</legend>${(kindsOfMail as (keyof typeof t.kinds)[]).map((kind) => html`<div class="check"><input type="checkbox" id="on-${kind}-${of}" name="on-${kind}" value="on"${chosen.includes(kind) && html` checked`}><label for="on-${kind}-${of}">${t.kinds[kind]}</label></div>`)}</fieldset>`;
}

const orderKinds = (events: readonly string[]) => kindsOfMail.filter((kind) => events.includes(kind)).join(', ');
const readKinds = (form: OrgCall['form']) => kindsOfMail.filter((kind) => form[`on-${kind}`] === 'on');

async function set({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const chosen = readKinds(form);
  if (chosen.length === 0) throw new OperationError('usage', t.noKind);
  const { address, events } = toNotification(await findByAddress(workplace, org.id, form.address ?? ''));
  const sent = judgeSent({ ...form, kinds: chosen.join(', ') }, 'kinds', orderKinds(events));
  if (sent === 'outdated') throw new OperationError('refused', t.outdated(address));
  if (sent === 'changed') await setNotification(workplace, org.id, address, chosen.join(','));
  return { to: `${ofOrg(org.id, '/notifications')}?done=saved` };
}

async function add({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const chosen = readKinds(form);
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
  orgAction('/notifications/set', 'org.members', '/notifications', set),
  orgAction('/notifications/resend', 'org.members', '/notifications', async ({ workplace, org, form }) => {
    await resendCode(workplace, org.id, form.address ?? '');
    return { to: `${ofOrg(org.id, '/notifications')}?done=sent` };
  }),
  orgAction('/notifications/test', 'org.members', '/notifications', async ({ workplace, org, form }) => {
    await testNotification(workplace, org.id, form.address ?? '');
    return { to: `${ofOrg(org.id, '/notifications')}?done=sent` };
  }),
  orgAction('/notifications/enable', 'org.members', '/notifications', async ({ workplace, org, form }) => {
    await enableNotification(workplace, org.id, form.address ?? '', false);
    return { to: `${ofOrg(org.id, '/notifications')}?done=saved` };
  }),
  orgAction('/notifications/remove', 'org.members', '/notifications', async ({ workplace, org, form }) => {
    await removeNotification(workplace, org.id, form.address ?? '');
    return { to: `${ofOrg(org.id, '/notifications')}?done=removed` };
  }),
];
