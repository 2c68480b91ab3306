/** Which plans include the SFTP door. */
import type { Settings } from './settings.js';

export function hasSftp({ sftpPlans }: Pick<Settings, 'sftpPlans'>, plan: string): boolean {
  return sftpPlans.split(',').some((one) => one.trim() === plan);
}
