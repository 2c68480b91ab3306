/** Reasons of operations as sentences of a page: they are written for lines of a terminal, in lower case and without a full stop. */
import { texts } from './texts/texts.js';

export interface Reader {
  /** The organization of the page, whose id stays as it is. */
  org?: string | undefined;
  /** People of an organization have no command line. */
  isOfOrg?: boolean;
}

export function toSentence(reason: string, { org, isOfOrg = false }: Reader = {}): string {
  const told = isOfOrg ? withoutCommands(reason) : reason;
  const first = /^[a-z]+(?=[ ,:])/.exec(told)?.[0];
  const text = first === undefined || first === org ? told : `${first[0]!.toUpperCase()}${told.slice(1)}`;
  return /[.!?:]$/.test(text) ? text : `${text}.`;
}

/** The advice of a refused header to set an alias: importer/read/headerhint.ts. A text of a report has line ends within it. */
const aliases =
  /,\s+or\s+ask\s+your\s+operator\s+to\s+run:\s+dropslot\s+orgs\s+set\s+\S+\s+aliases="[\s\S]*?"(?=\.|\s*$)/;

const { askOperator, askToAllow } = texts.messages;
/** Advice that only an operator can follow. */
const forOperators: readonly (readonly [RegExp, string])[] = [
  [/see\s+"dropslot\s+(?:sources|folders)\s+show\s+\d+"/g, askOperator],
  [/(?:see|read)\s+the\s+log(?:\s+of\s+the\s+server)?(?![\w-])/g, askOperator],
  [/ or allow the pattern \(orgs set [^()]*\)/g, askToAllow],
];
/** `; see "dropslot …"`, ` with "dropslot …"` */
const quoted = /[;:,]?\s+(?:see|with|by|use|run|in)\s+"dropslot\s[^"]*"/g;
/** At the end: `: dropslot keys add …`, `: first dropslot …`, `; to import it again: dropslot …` */
const atEnd = /[;:](?: to [^;:]*:| first)? dropslot [^;]*$/;
/** `(setting holdAdmins)`, `(maxColumns)`, `(users readmit)`, `(orgs set importPatterns=…)` */
const named = /\s+\((?:setting\s+\w+|[a-z]+[A-Z]\w*|(?:fields|keys|orgs|pgp|teams|users)\s+[a-z]+(?:\s[^()"]*)?)\)/g;
/** A person may have set the value here. */
const withCommand = /\s+with\s+a\s+command(?=[,;.])/g;

/** The message for a person who has no command line. */
export function withoutCommands(message: string): string {
  const [before, after] = splitAtAliases(message);
  if (after !== null) return withoutCommands(before + texts.messages.aliases(texts.check.title) + after);
  let text = before;
  for (const [advice, instead] of forOperators) text = text.replace(advice, instead);
  text = text.replace(quoted, '').replace(atEnd, '');
  // Only outside of quotes, in which the message has a label or a value.
  const parts = text.split(/("(?:[^"\\]|\\.)*")/);
  return parts
    .map((part, index) => (index % 2 === 1 ? part : part.replace(named, '').replace(withCommand, '')))
    .join('');
}

/** The text before and after the advice to set an alias; null: the message has none. */
export function splitAtAliases(message: string): [before: string, after: string | null] {
  const found = aliases.exec(message);
  if (found === null) return [message, null];
  return [message.slice(0, found.index), message.slice(found.index + found[0].length)];
}
