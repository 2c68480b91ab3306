/** The welcome sheet of an organization: a page to print and to hand over. */
import { OperationError } from '../../../operations/error.js';
import { makeWelcome } from '../../../operations/welcome.js';
import { html } from '../html.js';
import { notice, ofOrg } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.welcome;

/** Without the setting publicHost the SFTP server has the name of the console. */
function read({ workplace, org, origin }: OrgCall) {
  const host = workplace.settings.publicHost ?? new URL(origin).hostname.replace(/^\[|\]$/g, '');
  return makeWelcome(workplace, org.id, { host });
}

async function show(call: OrgCall): Promise<Page> {
  const { org } = call;
  const sheet = await read(call).catch((error: unknown) => {
    if (error instanceof OperationError && error.code !== 'not_found') return error.message;
    throw error;
  });
  const title = t.title(org.name);
  if (typeof sheet === 'string') return { title, body: html`<h1>${title}</h1>${notice('wait', sheet)}` };
  return {
    title,
    body: html`<div class="head"><h1>${title}</h1><a class="button quiet no-print" href="${ofOrg(org.id, '/settings/welcome.txt')}">${t.download}</a></div>
<p class="lead no-print">${t.lead}</p>
${sheet.contact === null && html`<div class="no-print">${notice('wait', t.noContact)}</div>`}
<pre class="sheet" tabindex="0">${sheet.text}</pre>`,
  };
}

async function send(call: OrgCall): Promise<Outcome> {
  const { text } = await read(call);
  return {
    content: (async function* () {
      yield text;
    })(),
    fileName: `${call.org.id}.txt`,
  };
}

export const welcomeRoutes: readonly ConsoleRoute[] = [
  orgPage('/settings/welcome', 'server.read', show),
  orgPage('/settings/welcome.txt', 'server.read', send),
];
