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

export const openssh: readonly Client[] = [sftp, modernSftp, scp];

/** PuTTY, and what is made of it. */
export const putty: readonly Client[] = [psftp, modernPsftp, pscp, filezilla];

/** Others that people start, or their scripts do. */
export const programs: readonly Client[] = [lftp, curl, rclone, sshfs];

/** Integrations are built on them. */
export const libraries: readonly Client[] = [paramiko, asyncssh];

export const java: readonly Client[] = [jsch];

/** Those that run on node. */
export const nodes: readonly Client[] = [nodejs, winscp];

export const clients: readonly Client[] = [...openssh, ...putty, ...programs, ...libraries, ...java, ...nodes];
