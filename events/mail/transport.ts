/** Sends mail by SMTP, through nodemailer: TLS unless the setting says otherwise, and never without an end. */
import { createTransport, type Transporter } from 'nodemailer';
import type { Settings } from '../../config/settings.js';
import { readMailPassword } from './password.js';

export type MailSettings = Pick<
  Settings,
  'smtp' | 'smtpTls' | 'smtpPassword' | 'credentials' | 'mailFrom' | 'mailReplyTo'
>;

export interface Mail {
  to: string;
  subject: string;
  text: string;
  html?: string;
  /** The same for the same content, so that a mail program shows a repeated one once. */
  id: string;
  headers?: Record<string, string>;
}

const timeLimitMs = 30_000;

/**
 * Sends one mail. The password is read each time: it may have changed since the last one.
 * @param signal ends the connection
 * @throws Error with the answer of the mail server, on one line; when no mail server is set, or its password can't be read
 */
export async function sendMail(
  settings: MailSettings,
  { to, subject, text, html, id, headers }: Mail,
  signal?: AbortSignal,
): Promise<void> {
  if (settings.smtp === undefined) throw new Error('no mail server is set: set smtp');
  const password = await readMailPassword(settings);
  const transport = openTransport({ ...settings, smtp: settings.smtp }, password);
  const from = settings.mailFrom ?? `dropslot@${new URL(settings.smtp).hostname}`;
  const domain = /@([^>]+)>?$/.exec(from)?.[1] ?? 'dropslot';
  try {
    await transport.sendMail({
      ...{ from, to: { name: '', address: to }, subject, text, html, headers },
      ...(settings.mailReplyTo !== undefined && { replyTo: settings.mailReplyTo }),
      messageId: `<${id}@${domain}>`,
      // No file and no address of the machine is ever attached, whatever a text contains.
      disableFileAccess: true,
      disableUrlAccess: true,
      ...(signal !== undefined && { signal }),
    });
  } catch (cause) {
    throw new Error(describe(cause as Error & { response?: string; code?: string }), { cause });
  }
}

function openTransport({ smtp, smtpTls }: MailSettings & { smtp: string }, password: string | null): Transporter {
  const { protocol, hostname, port, username } = new URL(smtp);
  const secure = protocol === 'smtps:';
  return createTransport({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    requireTLS: !secure && smtpTls === 'on',
    ignoreTLS: !secure && smtpTls === 'off',
    ...(username !== '' && { auth: { user: decodeURIComponent(username), pass: password ?? '' } }),
    connectionTimeout: timeLimitMs,
    greetingTimeout: timeLimitMs,
    socketTimeout: timeLimitMs,
    dnsTimeout: timeLimitMs,
  });
}

function describe({ message, response, code }: Error & { response?: string; code?: string }): string {
  const text = (response ?? message).replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 300);
  return code === undefined ? text : `${code}: ${text}`;
}
