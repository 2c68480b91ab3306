/** Reasons of operations as sentences of a page: they are written for lines of a terminal, in lower case and without a full stop. */

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

/** `; see "dropslot …"`, ` with "dropslot …"` */
const quoted = /[;:,]? (?:see|with|by|use|run|in) "dropslot [^"]*"/g;
/** At the end: `: dropslot keys add …`, `: first dropslot …`, `; to import it again: dropslot …` */
const atEnd = /[;:](?: to [^;:]*:| first)? dropslot [^;]*$/;

function withoutCommands(reason: string): string {
  return reason.replace(quoted, '').replace(atEnd, '');
}
