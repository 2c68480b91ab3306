/** Messages of imports, checks and alarms for the person who reads the page: what people of an organization can't do themselves is left out. */
import { hasRight } from '../../operations/accounts/rights.js';
import { html, type Value } from './html.js';
import { ofOrg } from './layout.js';
import type { OrgCall } from './route.js';
import { splitAtAliases, toSentence, withoutCommands } from './sentence.js';
import { texts } from './texts/texts.js';

/** With a link where the console itself does the thing that the message advises. */
export function tell({ account, org }: Pick<OrgCall, 'account' | 'org'>, message: string): Value {
  if (account.org === null) return message;
  const [before, after] = splitAtAliases(message);
  if (after === null || !hasRight(account, 'org.decide')) return withoutCommands(message);
  const page = html`<a href="${ofOrg(org.id, '/check')}">${texts.check.title}</a>`;
  return html`${withoutCommands(before)}${texts.messages.aliasesHere} ${page}${withoutCommands(after)}`;
}

/** Of an alarm or a failure, which are written as parts of a line. */
export function tellSentence({ account, org }: Pick<OrgCall, 'account' | 'org'>, reason: string): string {
  return toSentence(reason, { org: org.id, isOfOrg: account.org !== null });
}
