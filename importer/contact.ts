/** Whom the people of an organization ask: the setting `contact` of the organization, or else of the server. */
import type { Settings } from '../config/settings.js';
import type { OrgOptions } from '../db/control/orgoptions.js';
import { oneLine } from './outside.js';

/** null: neither is set. */
export function contactOf(
  { options }: { options: Pick<OrgOptions, 'contact'> },
  { contact }: Pick<Settings, 'contact'>,
): string | null {
  return options.contact ?? contact ?? null;
}

/** Writes the contact behind each "your operator" of a text. */
export function nameContact(text: string, contact: string | null): string {
  return contact === null
    ? text
    : text.replace(/\byour operator\b(?! \()/g, (words) => `${words} (${oneLine(contact)})`);
}
