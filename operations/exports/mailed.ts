/** Announces an export to an admin by mail: a link that downloads it once where the console has HTTPS, else its place in the SFTP tree. */
import { randomBytes } from 'node:crypto';
import { createSilentLogger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { recordAudit } from '../../db/control/audit.js';
import { listOwnFiles } from '../../db/control/checks.js';
import type { Org } from '../../db/control/orgs.js';
import { mailedExportsRoot } from '../../db/control/treelayout.js';
import { findUser } from '../../db/directory/users.js';
import { composeMail } from '../../events/mail/compose.js';
import type { Section } from '../../events/mail/section.js';
import { sendMail } from '../../events/mail/transport.js';
import { emailKey } from '../../importer/read/normalize.js';
import { formatLocal } from '../../importer/schedule/calendar.js';
import { mailedExportMs } from '../../importer/schedule/retention.js';
import { consoleAddress } from '../accounts/link.js';
import { OperationError } from '../error.js';
import { type ExportFilter, exportUsers, recordExport } from '../export.js';
import type { Workplace } from '../workplace.js';
import { makeLink } from './downloads.js';
import { openFolder } from './folder.js';

/** In the tree of one organization. */
const mostFiles = 50;

export interface MailedExport {
  /** The address as the directory has it. */
  to: string;
  /** In the organization's SFTP tree; null: the mail has a link, and no client reaches the file. */
  path: string | null;
  /** In ms; the hourly retention removes it after that. */
  until: number;
}

/** A file that lies where the mail says. */
interface Place {
  /** For the audit trail. */
  subject: string;
  path: string | null;
  section: Section;
  remove(): Promise<void>;
}

/** Killed between the file and the mail: a link that no one has, or a file in `/exports`, either of which expires after a day. */
export type MailStep = 'stored' | 'sent';

/**
 * Stores the users of an organization, and sends the address a mail with their place. Without the mail there is no file.
 * @param onStep called after each step that a crash can separate from the next: for tests that kill the process there
 * @throws OperationError `not_found`, `refused` when it is no active admin, `unavailable` when the mail can't be sent
 */
export async function mailExport(
  workplace: Workplace,
  orgId: string,
  address: string,
  filter: ExportFilter = {},
  onStep: (step: MailStep) => void = () => {},
): Promise<MailedExport> {
  const org = await workplace.org(orgId);
  const { control, directory, settings, now } = workplace;
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
  const origin = linkOrigin(settings);
  const file = { name, user: admin.id, createdAt: at, expiresAt: until };
  const place = await (origin === null
    ? placeInTree(workplace, org, file, filter)
    : placeBehindLink(workplace, org, file, filter, origin));
  onStep('stored');
  try {
    await send(workplace, org, admin.email, name, place.section);
  } catch (cause) {
    await place.remove();
    const reason = (cause as Error).message;
    throw new OperationError('unavailable', `could not send the mail, and removed the export: ${reason}`, { cause });
  }
  onStep('sent');
  const event = { at: now(), org: org.id, actor: workplace.actor, action: 'export.mailed', subject: place.subject };
  await recordAudit(control.write, { ...event, detail: { user: admin.id, until } });
  return { to: admin.email, path: place.path, until };
}

type LinkSettings = Pick<Settings, 'console' | 'consoleUrl' | 'apiTlsCert'>;

/** Of links that browsers open; null: the console is off, or is reached without HTTPS. */
export function linkOrigin(settings: LinkSettings): string | null {
  if (settings.console === undefined) return null;
  const address = consoleAddress(settings);
  return address.toLowerCase().startsWith('https://') ? address : null;
}

interface NewFile {
  name: string;
  user: number;
  createdAt: number;
  expiresAt: number;
}

async function placeBehindLink(
  workplace: Workplace,
  org: Org,
  file: NewFile,
  filter: ExportFilter,
  origin: string,
): Promise<Place> {
  await recordExport(workplace, org.id, 'users', { ...filter, to: 'a link in a mail' });
  const link = await makeLink(workplace, org, file, exportUsers(workplace, org.id, filter));
  const until = formatLocal(file.expiresAt, org.timeZone);
  return {
    subject: link.subject,
    path: null,
    remove: link.remove,
    section: {
      heading: 'An export of your users is ready',
      needsAction: true,
      paragraphs: [
        `Open the link before ${until}, and press the button there. It downloads the file once; then the server removes it. The download is recorded.`,
        'Do not forward this mail: anyone who has the link can download the file.',
      ],
      link: { text: 'Open the download', url: `${origin}/d/${link.token}` },
    },
  };
}

async function placeInTree(workplace: Workplace, org: Org, file: NewFile, filter: ExportFilter): Promise<Place> {
  const { control, paths, now } = workplace;
  const path = `${mailedExportsRoot}/${file.name}`;
  if ((await listOwnFiles(control.read, org.id, mailedExportsRoot)).length >= mostFiles)
    throw new OperationError(
      'refused',
      `${org.id} has ${mostFiles} exports in ${mailedExportsRoot}: each is removed a day after it was made`,
    );
  await recordExport(workplace, org.id, 'users', { ...filter, to: path });
  const folder = openFolder({ control, paths, logger: createSilentLogger(), now }, org, mailedExportsRoot);
  await folder.write(file.name, () => exportUsers(workplace, org.id, filter));
  const until = formatLocal(file.expiresAt, org.timeZone);
  return {
    subject: path,
    path,
    remove: () => folder.remove(file.name),
    section: {
      heading: 'An export of your users is ready',
      needsAction: true,
      paragraphs: [
        `Fetch it by SFTP, with a login key of ${org.name}, before ${until}: the server removes it then. Each download is recorded.`,
      ],
      command: path,
    },
  };
}

async function send(
  { settings, actor }: Workplace,
  org: Org,
  to: string,
  name: string,
  section: Section,
): Promise<void> {
  const contact = org.options.contact ?? settings.contact ?? 'your operator';
  const footer = [
    `You get this mail because you are an admin of ${org.name}, and ${actor} asked for the export. Questions: ${contact}.`,
  ];
  const mail = composeMail([section], { about: org.name, footer });
  const id = `export-${name.replace('.csv', '')}`;
  await sendMail(settings, { ...mail, to, id, headers: { 'Auto-Submitted': 'auto-generated' } });
}
