/** The kinds of mail that people choose, in their words, and the types of events of each. */
import { mailCategoryNames } from '../../config/settings.js';

export type MailCategory = (typeof mailCategoryNames)[number];

export const mailCategories: Record<MailCategory, readonly string[]> = {
  problems: ['run.completed_with_problems', 'run.failed', 'file.quarantined'],
  held: ['run.held', 'run.approved', 'run.rejected'],
  refused: ['file.refused', 'check.would_refuse'],
  missing: ['alarm.opened', 'alarm.resolved'],
  expiring: ['key.expiring'],
  done: ['run.completed'],
  weekly: ['report.weekly'],
  server: ['disk.low', 'backup.failed', 'backup.overdue', 'doctor.wrong', 'webhook.disabled', 'quota.near'],
  audit: ['audit.head'],
};

/** For an address of an organization, unless it chooses. */
export const usualCategories: readonly MailCategory[] = ['problems', 'held', 'refused', 'missing', 'expiring'];
/** About the server, not about one organization. */
export const operatorOnly: readonly MailCategory[] = ['server', 'audit'];
/** That an address of an organization may choose. */
export const orgCategories: readonly MailCategory[] = mailCategoryNames.filter((name) => !operatorOnly.includes(name));

/** null: one of the words is no kind of mail. */
export function readCategories(words: readonly string[]): MailCategory[] | null {
  const isKnown = (word: string) => (mailCategoryNames as readonly string[]).includes(word);
  return words.every(isKnown) ? mailCategoryNames.filter((name) => words.includes(name)) : null;
}

export function typesOfCategories(categories: readonly MailCategory[]): string[] {
  return categories.flatMap((category) => [...mailCategories[category]]);
}
