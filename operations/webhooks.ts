/** Webhooks: added with a secret that is shown once, and rotated without downtime. */
import { updateSubscriber } from '../db/control/eventsubscribers.js';
import { makeSecret, type SigningSecret, sealSecrets, unsealSecrets } from '../events/secrets.js';
import { isPrivateHost } from '../events/webhook/address.js';
import type { WebhookOptions } from '../events/webhook/webhook.js';
import { OperationError } from './error.js';
import {
  addSubscriber,
  audit,
  type CommonOptions,
  getSubscriber,
  lockOfKind,
  readCommon,
  webhookKind,
} from './subscribers.js';
import type { Workplace } from './workplace.js';

export interface NewWebhook extends CommonOptions {
  url: string;
  allowHttp?: boolean;
  allowPrivate?: boolean;
}

export interface AddedWebhook {
  id: string;
  /** `whsec_…`; it can't be shown again. */
  secret: string;
}

/** @throws OperationError `usage`, `not_found`; KeyError when there is no master key to seal the secret */
export async function addWebhook(workplace: Workplace, webhook: NewWebhook): Promise<AddedWebhook> {
  const row = await readWebhook(workplace, webhook);
  const secret = makeSecret();
  const { recipient } = await workplace.master();
  const sealed = await sealSecrets(recipient, [{ secret, until: null }]);
  return { id: await addSubscriber(workplace, webhookKind, { ...row, secret: sealed }), secret };
}

/** Checks a webhook; its row without a secret. @throws OperationError `usage`, `not_found` */
export async function readWebhook(workplace: Workplace, webhook: NewWebhook) {
  const { allowHttp = false, allowPrivate = false } = webhook;
  const url = readUrl(webhook.url, allowHttp, allowPrivate);
  const { options: common, ...rest } = await readCommon(workplace, webhook);
  const options: WebhookOptions = {
    url,
    ...(allowHttp && { allowHttp }),
    ...(allowPrivate && { allowPrivate }),
    ...common,
  };
  return { ...rest, options: { ...options } };
}

/**
 * Gives a webhook a new secret. For `keepMs` requests are signed with the old ones too.
 * @throws OperationError `not_found`; KeyError
 */
export async function rotateSecret(workplace: Workplace, id: string, keepMs: number): Promise<AddedWebhook> {
  await getSubscriber(workplace, webhookKind, id);
  const master = await workplace.master();
  const secret = makeSecret();
  await workplace.control.transact(async (tx) => {
    // Of two rotations at once, the later one keeps or ends the secret of the earlier one.
    const webhook = await lockOfKind(tx, webhookKind, id);
    const now = workplace.now();
    const old = await unsealSecrets(master, webhook.secret!);
    const kept: SigningSecret[] = old
      .map((one) => ({ ...one, until: Math.min(one.until ?? now + keepMs, now + keepMs) }))
      .filter(({ until }) => until > now)
      .slice(0, mostKept);
    await updateSubscriber(tx, id, {
      secret: await sealSecrets(master.recipient, [{ secret, until: null }, ...kept]),
    });
    await audit(tx, workplace, 'webhook.secret_rotated', webhook, { keptHours: Math.round(keepMs / 3_600_000) });
  });
  return { id, secret };
}

/** Old secrets at the same time: each is one more signature in a header. */
const mostKept = 4;
const mostUrlLength = 2_000;

/** @throws OperationError `usage` */
function readUrl(text: string, allowHttp: boolean, allowPrivate: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || text.length > mostUrlLength)
    throw new OperationError(
      'usage',
      `"${text.slice(0, 200)}" is not an https URL of at most ${mostUrlLength} characters`,
    );
  if (url.username !== '' || url.password !== '')
    throw new OperationError('usage', 'a URL with a user name or password in it is not accepted: requests are signed');
  if (url.protocol === 'http:' && !allowHttp)
    throw new OperationError(
      'usage',
      'the URL must begin with https://; --allow-http accepts http:// for this webhook',
    );
  if (!allowPrivate && (isPrivateHost(url.hostname) || /(^|\.)localhost\.?$/.test(url.hostname)))
    throw new OperationError(
      'usage',
      `${url.hostname} is a private address; --allow-private accepts it for this webhook`,
    );
  url.hash = '';
  return url.href;
}
