/** Encryption on the page Connection: the key to which files may be encrypted, and the public keys of the customer's programs. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { OperationError } from '../../../operations/error.js';
import { exportPublicPgpKey, importPgpKey, listPgp } from '../../../operations/pgp.js';
import { type Html, html } from '../html.js';
import { field, ofOrg, table, tag, time } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.pgp;
const here = '/connection';
const mostText = 64_000;

export async function showPgp({ workplace, org, token, account, form }: OrgCall): Promise<Html> {
  const keys = await listPgp(workplace, org.id);
  const isPublished = keys.some(({ uses }) => uses.includes('publish'));
  const download = isPublished
    ? html`<p><a class="button quiet" href="${ofOrg(org.id, `${here}/pgp.asc`)}">${t.download}</a></p>`
    : html`<p class="soft">${t.none}</p>`;
  return html`<section class="stack"><div class="tight"><h2>${t.title}</h2><p class="soft">${t.lead}</p></div>${download}
${table(
  t.title,
  [
    { title: t.key, cell: ({ fingerprint }) => html`<code>${fingerprint}</code>` },
    { title: t.of, cell: ({ kind }) => t.kinds[kind] },
    { title: t.state, cell: ({ state }) => tag(state === 'active' ? 'good' : '', t.states[state]) },
    { title: t.expires, cell: ({ expiresAt }) => (expiresAt === null ? t.never : time(expiresAt, org.timeZone)) },
    { title: t.uses, cell: ({ uses }) => uses.map((use) => t.useWords[use]).join(', ') },
  ],
  keys,
  t.empty,
)}
${
  hasRight(account, 'org.keys') &&
  html`<details class="card"${form.pgp !== undefined && html` open`}><summary>${t.add}</summary><form method="post" action="${ofOrg(org.id, `${here}/pgp`)}" class="stack">${token}
${field('pgp', t.public, { isLong: true, hint: t.publicHint, value: form.pgp, most: mostText })}<button class="quiet">${t.submit}</button></form></details>`
}</section>`;
}

/** A private key is refused unread: it would become the organization's own. */
async function add({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const text = form.pgp ?? '';
  if (!/-----BEGIN PGP PUBLIC KEY BLOCK-----/.test(text) || /PRIVATE/.test(text))
    throw new OperationError('usage', t.notPublic);
  await importPgpKey(workplace, org.id, Buffer.from(text), null);
  return { to: `${ofOrg(org.id, here)}?done=added` };
}

async function send({ workplace, org }: OrgCall): Promise<Outcome> {
  const { publicKey } = await exportPublicPgpKey(workplace, org.id, undefined);
  return {
    content: (async function* () {
      yield publicKey;
    })(),
    fileName: `${org.id}.asc`,
  };
}

export const pgpRoutes: readonly ConsoleRoute[] = [
  orgPage(`${here}/pgp.asc`, 'org.read', send),
  orgAction(`${here}/pgp`, 'org.keys', here, add),
];
