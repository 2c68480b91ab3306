/** Announces an export to an admin by mail: the file is in `/exports/by-mail` of the organization for a day, never in the mail. */
import { randomBytes } from 'node:crypto';
import { createSilentLogger } from '../../config/logger.js';
import { recordAudit } from '../../db/control/audit.js';
import type { Org } from '../../db/control/orgs.js';
import { mailedExportsRoot } from '../../db/control/treelayout.js';
import { findUser } from '../../db/directory/users.js';
import { composeMail } from '../../events/mail/compose.js';
import { sendMail } from '../../events/mail/transport.js';
import { emailKey } from '../../importer/read/normalize.js';
import { formatLocal } from '../../importer/schedule/calendar.js';
import { mailedExportMs } from '../../importer/schedule/retention.js';
import { OperationError } from '../error.js';
import { type ExportFilter, exportUsers, recordExport } from '../export.js';
import type { Workplace } from '../workplace.js';
import { openFolder } from './folder.js';

export interface MailedExport {
  /** The address as the directory has it. */
  to: string;
  path: string;
  /** In ms; the hourly retention removes it after that. */
  until: number;
}

/**
 * Writes the users of an organization into its tree, and sends the address a mail that names the file. Without the mail there is no
 * file.
 * @throws OperationError `not_found`, `refused` when it is no active admin, `unavailable` when the mail can't be sent
 */
export async function mailExport(
  workplace: Workplace,
  orgId: string,
  address: string,
  filter: ExportFilter = {},
): Promise<MailedExport> {
  const org = await workplace.org(orgId);
  const { control, directory, paths, settings, now } = workplace;
  const admin = await findUser(directory.read, org.id, emailKey(address.trim()));
  if (admin === null || !admin.isAdmin || admin.status !== 'active')
    throw new OperationError(
      'refused',
      `${address} is not an active admin of ${org.id}: see "dropslot users show ${org.id} ${address}"`,
    );
  if (settings.smtp === undefined)
    throw new OperationError('unavailable', 'no mail server is set: set smtp, or use --out');
  const at = now();
  const until = at + mailedExportMs;
  const name = `users-${new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')}-${randomBytes(4).toString('hex')}.csv`;
  const path = `${mailedExportsRoot}/${name}`;
  await recordExport(workplace, org.id, 'users', { ...filter, to: path });
  const folder = openFolder({ control, paths, logger: createSilentLogger(), now }, org, mailedExportsRoot);
  await folder.write(name, () => exportUsers(workplace, org.id, filter));
  try {
    await send(workplace, org, admin.email, path, until);
  } catch (cause) {
    await folder.remove(name);
    const reason = (cause as Error).message;
    throw new OperationError('unavailable', `could not send the mail, and removed the export: ${reason}`, { cause });
  }
  const event = { at: now(), org: org.id, actor: workplace.actor, action: 'export.mailed', subject: path };
  await recordAudit(control.write, { ...event, detail: { user: admin.id, until } });
  return { to: admin.email, path, until };
}

async function send({ settings, actor }: Workplace, org: Org, to: string, path: string, until: number): Promise<void> {
  const contact = org.options.contact ?? settings.contact ?? 'your operator';
  const mail = composeMail(
    [
      {
        heading: 'An export of your users is ready',
        needsAction: true,
        paragraphs: [
          `Fetch it by SFTP, with a login key of ${org.name}, before ${formatLocal(until, org.timeZone)}: the server removes it then. Each download is recorded.`,
        ],
        command: path,
      },
    ],
    {
      about: org.name,
      footer: [
        `You get this mail because you are an admin of ${org.name}, and ${actor} asked for the export. Questions: ${contact}.`,
      ],
    },
  );
  const id = `export-${path.split('/').at(-1)!.replace('.csv', '')}`;
  await sendMail(settings, { ...mail, to, id, headers: { 'Auto-Submitted': 'auto-generated' } });
}
