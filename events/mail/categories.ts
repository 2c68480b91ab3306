/** The kinds of mail that people choose, in their words, and the types of events of each. */

export const mailCategories = {
  problems: ['run.completed_with_problems', 'run.failed', 'file.quarantined'],
  held: ['run.held', 'run.approved', 'run.rejected'],
  refused: ['file.refused', 'check.would_refuse'],
  missing: ['alarm.opened', 'alarm.resolved'],
  expiring: ['key.expiring'],
  done: ['run.completed'],
  weekly: ['report.weekly'],
  server: ['disk.low', 'backup.overdue', 'doctor.wrong', 'webhook.disabled', 'quota.near'],
  audit: ['audit.head'],
} as const satisfies Record<string, readonly string[]>;

export type MailCategory = keyof typeof mailCategories;

/** For an address of an organization, unless it chooses. */
export const usualCategories: readonly MailCategory[] = ['problems', 'held', 'refused', 'missing', 'expiring'];
/** About the server, not about one organization. */
export const operatorOnly: readonly MailCategory[] = ['server', 'audit'];
export const operatorCategories: readonly MailCategory[] = [...usualCategories, 'weekly', ...operatorOnly];

/** null: one of the words is no kind of mail. */
export function readCategories(words: readonly string[]): MailCategory[] | null {
  const names = Object.keys(mailCategories) as MailCategory[];
  return words.every((word) => (names as string[]).includes(word))
    ? names.filter((name) => words.includes(name))
    : null;
}

export function typesOfCategories(categories: readonly MailCategory[]): string[] {
  return categories.flatMap((category) => [...mailCategories[category]]);
}
