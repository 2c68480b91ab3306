/** The clients of the matrix, in the order in which the documentation lists them. */
import type { Client } from '../client.js';
import { client as curl } from './curl.js';
import { client as filezilla } from './filezilla.js';
import { client as jsch } from './jsch.js';
import { lftp } from './lftp.js';
import { client as nodejs } from './nodejs.js';
import { modernSftp, scp, sftp } from './openssh.js';
import { modernPsftp, pscp, psftp } from './putty.js';
import { asyncssh, paramiko } from './python.js';
import { client as rclone } from './rclone.js';
import { client as sshfs } from './sshfs.js';
import { client as winscp } from './winscp.js';

/** People start them, or their scripts do. */
export const programs: readonly Client[] = [
  sftp,
  modernSftp,
  scp,
  psftp,
  modernPsftp,
  pscp,
  filezilla,
  lftp,
  curl,
  rclone,
];

/** Integrations are built on them; and what hides SFTP from its user. */
export const libraries: readonly Client[] = [sshfs, paramiko, asyncssh, jsch, nodejs, winscp];

export const clients: readonly Client[] = [...programs, ...libraries];
