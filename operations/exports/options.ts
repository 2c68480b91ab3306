/** The options of an export: where its files are written, when, and which of them are kept. */

import { exportsRoot } from '../../db/control/treelayout.js';
import { isPrivateHost } from '../../events/webhook/address.js';
import { joinPath, normalizePath } from '../../storage/path.js';
import { OperationError } from '../error.js';

/** As a subscriber's row stores them. */
export interface ExportOptions {
  target: SftpTarget | FolderTarget;
  /** `after-run`, or `daily@HH:MM` in the organization's time zone. */
  when: string;
  changedOnly: boolean;
  /** How many exports remain at the target; older files are removed. */
  keep: number;
  /** The last export that is complete at the target. */
  last?: LastExport;
  /** The file that an attempt could not complete. */
  unfinished?: UnfinishedFile;
}

/** The beginning of a file that another server has synced under the file's temporary name. */
export interface UnfinishedFile {
  /** Its name once it is complete, which says for which event it is made. */
  name: string;
  bytes: number;
  /** Of these bytes, in hexadecimal digits. */
  sha256: string;
}

export interface SftpTarget {
  kind: 'sftp';
  host: string;
  port: number;
  user: string;
  /** Folder of the other server, which must exist. */
  path: string;
  /** `SHA256:…` of the only host key that is accepted. */
  hostKey: string;
  allowPrivate: boolean;
}

/** A folder below `/exports` of the organization's own tree. */
export interface FolderTarget {
  kind: 'folder';
  path: string;
}

export interface LastExport {
  /** Id of the event that it was made for: a repeated delivery makes no second one. */
  event: string;
  /** When its content was read, in ms. */
  at: number;
  /** Number of the last event of the directory that it has. */
  upTo: number;
}

const mostUrlLength = 1_000;
const usualPort = 22;

/** @throws OperationError `usage` */
export function readSftpTarget(text: string, hostKey: string, allowPrivate: boolean): SftpTarget {
  const url = URL.canParse(text) && text.length <= mostUrlLength ? new URL(text) : null;
  if (url === null || url.protocol !== 'sftp:' || url.hostname === '' || url.username === '')
    throw new OperationError('usage', `"${text.slice(0, 200)}" is not a URL such as sftp://user@host:22/folder`);
  if (url.password !== '')
    throw new OperationError('usage', 'the URL has a password in it: Dropslot logs in with the key of --key only');
  if (url.search !== '' || url.hash !== '')
    throw new OperationError('usage', 'the URL has a "?" or "#" in it: write them as %3F and %23');
  if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(hostKey))
    throw new OperationError(
      'usage',
      `"${hostKey.slice(0, 200)}" is not a fingerprint such as SHA256:… with 43 characters, as "ssh-keygen -lf" prints it`,
    );
  const host = readHost(url.hostname);
  if (!allowPrivate && (isPrivateHost(host) || /(^|\.)localhost\.?$/i.test(host)))
    throw new OperationError('usage', `${host} is a private address; --allow-private accepts it for this export`);
  return {
    ...{ kind: 'sftp', host, port: url.port === '' ? usualPort : Number(url.port), user: decode(url.username) },
    ...{ path: decode(url.pathname) || '/', hostKey, allowPrivate },
  };
}

/** In the one form that an address or name has in web URLs: `127.1` is `127.0.0.1`. @throws OperationError `usage` */
function readHost(text: string): string {
  const web = `https://${text}`;
  if (!URL.canParse(web)) throw new OperationError('usage', `"${text.slice(0, 200)}" is not the name of a host`);
  return new URL(web).hostname.replace(/^\[|\]$/g, '');
}

/** @throws OperationError `usage` */
function decode(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!/\p{Cc}/u.test(decoded)) return decoded;
  } catch {
    // As a control character.
  }
  throw new OperationError('usage', `"${text.slice(0, 200)}" in the URL is not text in UTF-8 with % signs`);
}

/** @throws OperationError `usage` */
export function readFolderTarget(text: string): FolderTarget {
  const isBad = /\p{Cc}/u.test(text) || text.length > mostUrlLength;
  const path = isBad || !text.startsWith('/') ? '' : normalizePath(text);
  if (path !== exportsRoot && !path.startsWith(`${exportsRoot}/`))
    throw new OperationError(
      'usage',
      `--to-folder takes ${exportsRoot} or a folder below it, such as ${joinPath(exportsRoot, 'payroll')}`,
    );
  return { kind: 'folder', path };
}

/** @throws OperationError `usage` */
export function readWhen(text: string): string {
  if (text === 'after-run' || /^daily@([01]\d|2[0-3]):[0-5]\d$/.test(text)) return text;
  throw new OperationError('usage', `--when takes after-run, or daily@ and a time such as daily@04:00, not "${text}"`);
}

/** `HH:MM` of a daily export; null: it is made after runs. */
export function dailyTime(when: string): string | null {
  return when.startsWith('daily@') ? when.slice('daily@'.length) : null;
}

/** For people and lists. */
export function describeTarget(target: ExportOptions['target']): string {
  if (target.kind === 'folder') return target.path;
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const port = target.port === usualPort ? '' : `:${target.port}`;
  return `sftp://${encodeURIComponent(target.user)}@${host}${port}${target.path}`;
}
