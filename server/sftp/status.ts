/** Owns the SFTP status and the fixed sentence for every error that a client gets (draft-ietf-secsh-filexfer-02, section 7). */
import { isDiskFull } from '../../db/error.js';
import { SpaceError, type SpaceErrorCode } from '../../storage/types.js';
import { SftpError, type SftpErrorCode } from './error.js';

const statusCodes = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;

export interface Status {
  code: number;
  sentence: string;
}

export const okStatus: Status = { code: statusCodes.ok, sentence: 'OK' };
export const endStatus: Status = { code: statusCodes.eof, sentence: 'End of file' };

const { noSuchFile, permissionDenied, failure, badMessage, unsupported } = statusCodes;

const statuses: Readonly<Record<SpaceErrorCode | SftpErrorCode, Status>> = {
  not_found: { code: noSuchFile, sentence: 'No such file or folder' },
  exists: { code: failure, sentence: 'A file or folder of this name exists already' },
  // As OpenSSH's server has it: clients that stat a name below a file only ask whether it exists.
  not_a_folder: { code: noSuchFile, sentence: 'This is not a folder' },
  is_a_folder: { code: failure, sentence: 'This is a folder' },
  not_empty: { code: failure, sentence: 'The folder is not empty' },
  read_only: {
    code: permissionDenied,
    sentence: '/archive, /exports, /reports and /templates are read-only; files are dropped in /',
  },
  bad_name: { code: failure, sentence: 'This name is not allowed: too long, too deep, not UTF-8, or with a NUL' },
  control_character: {
    code: failure,
    sentence: 'This name has a control character, such as a line break or a tab; choose a name without it',
  },
  too_large: { code: failure, sentence: 'Larger than this server accepts' },
  quota: { code: failure, sentence: 'The quota is used up; remove files, or ask the operator for more' },
  no_space: { code: failure, sentence: 'The server is short of disk space; try again later' },
  busy: {
    code: failure,
    sentence:
      'The sessions of your organization use all the memory that they may; send fewer files at once, each from its start to its end',
  },
  incomplete: { code: failure, sentence: 'This upload was cut off; send the rest of it first' },
  withheld: { code: permissionDenied, sentence: 'This server takes files and opens none' },
  destroyed: {
    code: permissionDenied,
    sentence: "The key of this organization's files was destroyed; ask the operator",
  },
  damaged: { code: failure, sentence: 'The stored file is damaged; ask the operator to restore it from the backup' },
  failed: { code: failure, sentence: 'The server could not do this; try again later' },
  keyless: {
    code: unsupported,
    sentence: 'This server has no key to open the existing file and add to it; send the whole file',
  },
  written_elsewhere: {
    code: failure,
    sentence:
      'This file is open for writing on another server, which cannot share it: try again when that writer has closed it',
  },
  unsupported: { code: unsupported, sentence: 'This order of writes is not supported; send the file from its start' },
  malformed: { code: badMessage, sentence: 'Malformed request' },
  not_served: { code: unsupported, sentence: 'Not supported' },
  unknown_handle: { code: failure, sentence: 'No such handle' },
  too_many_handles: { code: failure, sentence: 'Too many open files; close some first' },
  bad_request: { code: failure, sentence: 'Invalid request' },
  unknown_name: { code: failure, sentence: 'No such user, or no such algorithm' },
  no_links: { code: unsupported, sentence: 'There are no links here' },
  read_only_session: { code: permissionDenied, sentence: 'This session is read-only' },
  upload_only: { code: permissionDenied, sentence: 'This key may upload, and read nothing' },
  ended: { code: failure, sentence: 'The session was ended' },
  wrong_handle: { code: permissionDenied, sentence: 'The file was not opened for this' },
};

/** An error that is neither a SpaceError nor an SftpError is the server's failure: the client gets `failed`. */
export function statusOf(error: unknown): Status {
  const code = error instanceof SpaceError || error instanceof SftpError ? error.code : 'failed';
  return statuses[code === 'failed' && isForSpace(error) ? 'no_space' : code];
}

/** Whether the disk of the sealed files or that of the database is full. */
function isForSpace(error: unknown): boolean {
  if (isDiskFull(error)) return true;
  const cause = (error as { cause?: unknown } | null)?.cause;
  return cause instanceof Error && isDiskFull(cause);
}

/** Whether the server caused it, so that the log has it as an error. */
export function isServerFault(error: unknown): boolean {
  if (error instanceof SpaceError) return error.code === 'failed' || error.code === 'damaged';
  return !(error instanceof SftpError);
}
