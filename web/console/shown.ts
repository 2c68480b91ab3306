/** A form with stored values sends along the values that it showed: so a change that another person made meanwhile is not undone unseen. */
import { type Html, html } from './html.js';

type Form = Readonly<Record<string, string>>;

const nameOf = (name: string) => `shown:${name}`;

/** The hidden field beside the input of this name. */
export function shown(name: string, value: string): Html {
  return html`<input type="hidden" name="${nameOf(name)}" value="${value}">`;
}

/**
 * `unchanged`: the person left it as the form showed it, or wants what it is now; `changed`: it is to be written; `outdated`: the person
 * changed it, and so did another one, whose value the person has not seen.
 * @param form of a script may leave out the shown value: it is the present one then
 */
export function judgeSent(form: Form, name: string, present: string): 'unchanged' | 'changed' | 'outdated' {
  const given = toLine(form[name] ?? form[nameOf(name)] ?? present);
  const before = toLine(form[nameOf(name)] ?? present);
  if (given === before || given === toLine(present)) return 'unchanged';
  return before === toLine(present) ? 'changed' : 'outdated';
}

/** As an input sends a value: without breaks of lines. */
function toLine(value: string): string {
  return value.replace(/[\r\n]/g, '').trim();
}
