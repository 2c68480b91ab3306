/** How an organization's HR system connects: host, fingerprints, steps; its keys, its last connections, and encryption. */
import { listHostKeys } from '../../../operations/hostkeys.js';
import { clientAddress } from '../../../operations/welcome.js';
import { type Html, html } from '../html.js';
import { facts, notice } from '../layout.js';
import { type ConsoleRoute, type OrgCall, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { keyRoutes, showConnections, showKeys } from './connectionkeys.js';
import { pgpRoutes, showPgp } from './connectionpgp.js';

const t = texts.connection;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org } = call;
  const { host, port } = addressOf(call);
  const hostKeys = (await listHostKeys(workplace, { host, port })).filter(({ state }) => state !== 'retired');
  const { addresses = [], hours } = org.options;
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
      ...(addresses.length === 0 ? [] : [[t.addressesOfOrg, addresses.join(', ')] as const]),
      ...(hours === undefined ? [] : [[t.hours, `${hours} (${org.timeZone})`] as const]),
    ])}</div>
<section class="stack"><div class="tight"><h2>${t.fingerprints}</h2><p class="soft">${t.fingerprintsText}</p></div>
${
  hostKeys.length === 0
    ? html`<p class="soft">${t.noHostKeys}</p>`
    : html`<div class="card">${facts(hostKeys.map(({ type, fingerprint, state }) => [`${type} (${t.states[state] ?? state})`, html`<code>${fingerprint}</code>`]))}
<details><summary>${t.known}</summary><pre tabindex="0">${hostKeys.map(({ knownHosts }) => knownHosts).join('\n')}</pre></details></div>`
}</section>
<section class="stack"><h2>${t.steps}</h2><ol class="steps">${t.stepList.map((step) => html`<li>${step}</li>`)}</ol>${showSystems(call)}</section>
${await showKeys(call)}
${await showConnections(call)}
${await showPgp(call)}`,
  };
}

/** Makers' systems, and a command to try the connection. */
function showSystems(call: OrgCall): Html {
  const { host, port } = addressOf(call);
  const command = t.command(call.org.id, host, port);
  const systems = t.systems.map(
    ({ name, steps }) =>
      html`<details class="card"><summary>${name}</summary><ol class="steps">${steps.map((step) => html`<li>${step}</li>`)}</ol></details>`,
  );
  return html`<p class="soft">${t.systemsText}</p>${systems}<details class="card"><summary>${t.script}</summary><pre tabindex="0">${command}</pre></details>`;
}

/** Without the setting publicHost the SFTP server has the name of the console. */
function addressOf({ workplace: { settings }, origin }: OrgCall): { host: string; port: number } {
  const named = clientAddress(settings, {});
  const ofConsole = new URL(origin).hostname.replace(/^\[|\]$/g, '');
  return named ?? clientAddress(settings, { host: ofConsole })!;
}

export const connectionRoutes: readonly ConsoleRoute[] = [
  orgPage('/connection', 'org.read', show),
  ...keyRoutes,
  ...pgpRoutes,
];
