/** The script of pages with passkeys: it shows their forms where the browser has passkeys, and asks it for one. */
import { createHash } from 'node:crypto';
import { type Html, html } from './html.js';

/** A form with `data-passkey` (`create` or `get`) and `data-options` (an address); its field `answer` gets the passkey's answer. */
export const passkeyScript = `
'use strict';
const toBytes = (text) => {
  const base64 = text.replace(/-/g, '+').replace(/_/g, '/');
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
};
const toText = (buffer) => {
  const text = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return btoa(text).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');
};
const withBytes = (options, isNew) => ({
  ...options,
  challenge: toBytes(options.challenge),
  ...(isNew && {
    user: { ...options.user, id: toBytes(options.user.id) },
    excludeCredentials: options.excludeCredentials.map((one) => ({ ...one, id: toBytes(one.id) })),
  }),
});
const describe = (made) => {
  const response = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'])
    if (made.response[name]) response[name] = toText(made.response[name]);
  return { id: made.id, rawId: toText(made.rawId), type: made.type, clientExtensionResults: {}, response };
};
const answer = async (form) => {
  const isNew = form.dataset.passkey === 'create';
  const fields = new URLSearchParams();
  for (const field of form.querySelectorAll('input[name=_token]')) fields.set('_token', field.value);
  const asked = await fetch(form.dataset.options, { method: 'POST', body: fields });
  if (!asked.ok || !(asked.headers.get('content-type') || '').startsWith('application/json')) {
    location.reload();
    return;
  }
  const publicKey = withBytes(await asked.json(), isNew);
  const made = isNew ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
  form.elements.answer.value = JSON.stringify(describe(made));
  form.submit();
};
if (window.PublicKeyCredential)
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.hidden = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const problem = form.querySelector('[role=alert]');
      problem.hidden = true;
      const button = form.querySelector('button');
      button.disabled = true;
      answer(form).catch(() => { problem.hidden = false; }).finally(() => { button.disabled = false; });
    });
  }
`.trim();

/** Its name changes with its content, so that browsers may keep it. */
export const passkeyScriptPath = `/assets/${createHash('sha256').update(passkeyScript).digest('hex').slice(0, 16)}.js`;

/** Of a form with a passkey: the script shows it. */
export function passkeyProblem(text: string): Html {
  return html`<div class="notice bad" role="alert" hidden><p>${text}</p></div>`;
}
