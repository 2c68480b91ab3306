/** Who is connected by SFTP, and which addresses are refused for a time. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { forgivePenalties, listActivePenalties, readSource } from '../../../operations/penalties.js';
import { endSessions, type ListedSession, listOpenSessions } from '../../../operations/sessions.js';
import { html, type Value } from '../html.js';
import { ofOrg, table, tag, time } from '../layout.js';
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
    )}</section>`,
  };
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
];
