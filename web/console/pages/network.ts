/** Who is connected by SFTP, and which addresses are refused for a time. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { listRefusals } from '../../../operations/connections.js';
import { OperationError } from '../../../operations/error.js';
import {
  activateAnnounced,
  addHostKey,
  type HostKeyView,
  hostKeyTypes,
  listHostKeys,
  removeInactive,
} from '../../../operations/hostkeys.js';
import { forgivePenalties, listActivePenalties, readSource } from '../../../operations/penalties.js';
import { endSessions, type ListedSession, listOpenSessions } from '../../../operations/sessions.js';
import { type Html, html, type Value } from '../html.js';
import { ofOrg, select, table, tag, time } from '../layout.js';
import { action, type Call, type ConsoleRoute, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { bytes } from '../texts/words.js';

const t = texts.network;
const here = '/network';
const mostShown = 500;

async function show({ workplace, account, token }: Call): Promise<Page> {
  const sessions = await listOpenSessions(workplace);
  const penalties = await listActivePenalties(workplace);
  const may = hasRight(account, 'server.operate');
  const button = (verb: string, name: string, value: string, word: string): Value =>
    may &&
    html`<form method="post" action="${here}/${verb}">${token}<input type="hidden" name="${name}" value="${value}"><button class="link">${word}<span class="hidden"> ${value}</span></button></form>`;
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1>
<section class="stack"><h2>${t.sessions}</h2>${table(
      t.sessions,
      [
        { title: t.session, cell: ({ id }) => html`<code class="whole">${id}</code>` },
        { title: t.organization, cell: ({ org }) => html`<a href="${ofOrg(org)}">${org}</a>` },
        { title: t.address, cell: ({ address }) => address ?? '–' },
        { title: t.client, cell: ({ client }) => client },
        { title: t.since, cell: ({ startedAt }) => time(startedAt, 'UTC') },
        { title: t.received, cell: (one) => t.files(one.filesReceived, bytes(one.bytesReceived)) },
        { title: t.sent, cell: (one) => t.files(one.filesSent, bytes(one.bytesSent)) },
        { title: t.now, cell: describeTransfer },
        { title: '', cell: ({ id, isEnding }) => !isEnding && button('end', 'session', id, t.end) },
      ],
      sessions.slice(0, mostShown),
      t.noSessions,
    )}</section>
<section class="stack"><div class="tight"><h2>${t.penalties}</h2><p class="soft">${t.penaltiesText}</p></div>${table(
      t.penalties,
      [
        { title: t.address, cell: ({ source }) => source },
        { title: t.cause, cell: ({ cause }) => cause },
        { title: t.strikes, cell: ({ strikes }) => strikes, isNumber: true },
        { title: t.until, cell: ({ until }) => time(until, 'UTC') },
        { title: '', cell: ({ source }) => button('forgive', 'source', source, t.forgive) },
      ],
      penalties.slice(0, mostShown),
      t.noPenalties,
    )}</section>
<section class="stack"><div class="tight"><h2>${t.refusals}</h2><p class="soft">${t.refusalsText}</p></div>${table(
      t.refusals,
      [
        { title: t.organization, cell: ({ org }) => html`<a href="${ofOrg(org)}">${org}</a>` },
        { title: t.reason, cell: ({ reason }) => texts.connection.reasons[reason]?.[0] ?? reason },
        { title: t.times, cell: ({ count }) => count, isNumber: true },
        { title: t.last, cell: ({ lastAt }) => time(lastAt, 'UTC') },
        {
          title: '',
          cell: ({ org }) => html`<a href="/arrivals?org=${org}">${t.trace}<span class="hidden"> ${org}</span></a>`,
        },
      ],
      await listRefusals(workplace),
      t.noRefusals,
    )}</section>
${showHostKeys(await listHostKeys(workplace, null), token, may)}`,
  };
}

/** The host keys, each with its step of a rotation and the next one. */
function showHostKeys(keys: readonly HostKeyView[], token: Html, may: boolean): Html {
  const step = ({ state, fingerprint }: HostKeyView): Value => {
    const next = { announced: 'activate', active: null, retired: 'remove' } as const;
    const verb = next[state];
    if (verb === null || !may) return null;
    return html`<form method="post" action="${here}/hostkeys/${verb}">${token}<input type="hidden" name="key" value="${fingerprint}"><button class="link">${t.hostSteps[verb]}<span class="hidden"> ${fingerprint}</span></button></form>`;
  };
  const free = Object.entries(hostKeyTypes).filter(
    ([, type]) => !keys.some((key) => key.type === type && key.state !== 'active'),
  );
  return html`<section class="stack"><div class="tight"><h2>${t.hostKeys}</h2><p class="soft">${t.hostKeysText}</p></div>${table(
    t.hostKeys,
    [
      {
        title: t.fingerprint,
        cell: ({ fingerprint, type }) =>
          html`<code class="print">${fingerprint}</code><br><span class="soft small">${type}</span>`,
      },
      {
        title: t.step,
        cell: ({ state, since }) =>
          html`${tag(t.hostStates[state][0], t.hostStates[state][1])}<br><span class="soft small">${t.since}: ${time(since, 'UTC')}</span>`,
      },
      { title: '', cell: step },
    ],
    keys,
    t.noHostKeys,
  )}
${
  may &&
  keys.length > 0 &&
  free.length > 0 &&
  html`<details class="card"><summary>${t.rotate}</summary><form method="post" action="${here}/hostkeys/add" class="stack">${token}<p class="soft">${t.rotateText}</p>${select(
    'type',
    t.type,
    free.map(([value, text]) => ({ value, text })),
  )}<button class="quiet">${t.announce}</button></form></details>`
}</section>`;
}

function describeTransfer({ openFiles, openBytes, bytesPerSecond, isEnding }: ListedSession): Value {
  if (isEnding) return tag('wait', t.ending);
  return openFiles === 0 ? '–' : t.transfer(openFiles, bytes(openBytes), bytes(bytesPerSecond));
}

export const networkRoutes: readonly ConsoleRoute[] = [
  page(here, 'server.read', show),
  action(`${here}/end`, 'server.operate', here, async ({ workplace, form }) => {
    await endSessions(workplace, { ids: [form.session ?? ''] });
    return { to: `${here}?done=ended` };
  }),
  action(`${here}/forgive`, 'server.operate', here, async ({ workplace, form }) => {
    await forgivePenalties(workplace, readSource(form.source ?? ''));
    return { to: `${here}?done=forgiven` };
  }),
  action(`${here}/hostkeys/add`, 'server.operate', here, async ({ workplace, form }) => {
    const type = Object.hasOwn(hostKeyTypes, form.type ?? '') ? hostKeyTypes[form.type!] : undefined;
    if (type === undefined) throw new OperationError('usage', t.noType);
    await addHostKey(workplace, { type });
    return { to: `${here}?done=announced` };
  }),
  action(`${here}/hostkeys/activate`, 'server.operate', here, async ({ workplace, form }) => {
    await activateAnnounced(workplace, form.key ?? '');
    return { to: `${here}?done=activated` };
  }),
  action(`${here}/hostkeys/remove`, 'server.operate', here, async ({ workplace, form }) => {
    await removeInactive(workplace, form.key ?? '');
    return { to: `${here}?done=removed` };
  }),
];
