/** Reads filters of SCIM (RFC 7644, section 3.4.2.2) into a tree, with bounds of their length, depth and number of terms. */
import { ScimError } from './error.js';
import { type Attribute, type AttributePath, findPath, type ResourceType } from './schemas.js';

export type Operator = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le' | 'pr';
export type Value = string | number | boolean | null;

export type Filter =
  | { kind: 'and' | 'or'; terms: Filter[] }
  | { kind: 'not'; term: Filter }
  | { kind: 'compare'; path: AttributePath; operator: Operator; value: Value }
  /** One value of a multi-valued attribute fits the whole of `term`. */
  | { kind: 'some'; path: AttributePath; term: Filter };

const mostCharacters = 2_000;
const mostDepth = 20;
const mostTerms = 50;

const operators: readonly string[] = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le', 'pr'];
const ordering: readonly string[] = ['gt', 'ge', 'lt', 'le'];
const ofText: readonly string[] = ['co', 'sw', 'ew'];

const token = /\s*(?:([()[\]])|("(?:[^"\\]|\\.)*")|([^\s()[\]"]+))/y;

/** @throws ScimError `invalidFilter` */
export function parseFilter(text: string, type: ResourceType): Filter {
  if (text.length > mostCharacters) throw wrong(`it has more than ${mostCharacters} characters`);
  const reader = new Reader(cut(text), type);
  const filter = reader.readOr(0);
  reader.expectEnd();
  return filter;
}

interface Token {
  kind: 'sign' | 'string' | 'word';
  text: string;
}

function cut(text: string): Token[] {
  const tokens: Token[] = [];
  const trimmed = text.trimEnd();
  token.lastIndex = 0;
  while (token.lastIndex < trimmed.length) {
    const at = token.lastIndex;
    const found = token.exec(trimmed);
    if (found === null) throw wrong(`it can't be read from "${trimmed.slice(at, at + 40).trim()}" on`);
    const [, sign, string, word] = found;
    if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string });
    else tokens.push({ kind: 'word', text: word! });
  }
  return tokens;
}

class Reader {
  readonly #tokens: readonly Token[];
  readonly #type: ResourceType;
  #at = 0;
  #terms = 0;
  /** Of the attribute whose brackets the reader is in. */
  #inside: AttributePath | null = null;

  constructor(tokens: readonly Token[], type: ResourceType) {
    this.#tokens = tokens;
    this.#type = type;
  }

  readOr(depth: number): Filter {
    return this.#readList('or', depth, () => this.#readList('and', depth, () => this.#readTerm(depth)));
  }

  expectEnd(): void {
    const rest = this.#tokens[this.#at];
    if (rest !== undefined) throw wrong(`"and" or "or" is missing before "${rest.text.slice(0, 40)}"`);
  }

  #readList(word: 'and' | 'or', depth: number, read: () => Filter): Filter {
    if (depth > mostDepth) throw wrong(`it is nested more than ${mostDepth} times`);
    const terms = [read()];
    while (this.#takeWord(word)) terms.push(read());
    return terms.length === 1 ? terms[0]! : { kind: word, terms };
  }

  #readTerm(depth: number): Filter {
    if (++this.#terms > mostTerms) throw wrong(`it has more than ${mostTerms} terms`);
    const next = this.#tokens[this.#at + 1];
    if (next?.text === '(' && next.kind === 'sign' && this.#takeWord('not'))
      return { kind: 'not', term: this.#readGroup('(', ')', depth) };
    if (this.#peekSign('(')) return this.#readGroup('(', ')', depth);
    const path = this.#readPath();
    if (this.#peekSign('[')) return this.#readBrackets(path, depth);
    const operator = this.#take('an operator').text.toLowerCase();
    if (!operators.includes(operator)) throw wrong(`"${operator.slice(0, 40)}" is none of ${operators.join(', ')}`);
    const value = operator === 'pr' ? null : this.#readValue();
    return compare(path, operator as Operator, value);
  }

  #readBrackets(path: AttributePath, depth: number): Filter {
    if (!path.attribute.multiValued || path.attribute.subAttributes === undefined || path.sub !== null)
      throw wrong(`${path.attribute.name} takes no [ ]`);
    if (this.#inside !== null) throw wrong('[ ] may not be inside of [ ]');
    this.#inside = path;
    const term = this.#readGroup('[', ']', depth);
    this.#inside = null;
    return { kind: 'some', path, term };
  }

  #readGroup(open: string, close: string, depth: number): Filter {
    if (!this.#peekSign(open)) throw wrong(`"${open}" is missing`);
    this.#at++;
    const filter = this.readOr(depth + 1);
    if (!this.#peekSign(close)) throw wrong(`"${close}" is missing`);
    this.#at++;
    return filter;
  }

  #readPath(): AttributePath {
    const { kind, text } = this.#take('the name of an attribute');
    const inside = this.#inside;
    const path = inside === null ? findPath(this.#type, text) : findSub(inside, text);
    if (kind !== 'word' || path === null)
      throw wrong(`"${text.slice(0, 100)}" is no attribute of ${this.#type.name}; see /Schemas`);
    return path;
  }

  #readValue(): Value {
    const { kind, text } = this.#take('a value');
    if (kind === 'sign') throw wrong(`a value is missing before "${text}"`);
    try {
      const value: unknown = JSON.parse(kind === 'word' ? text.toLowerCase() : text);
      if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value as Value;
    } catch {
      // told below
    }
    throw wrong(`${text.slice(0, 40)} is no value: write "text" in quotes, true, false, null or a number`);
  }

  #take(what: string): Token {
    const found = this.#tokens[this.#at++];
    if (found === undefined) throw wrong(`${what} is missing at its end`);
    return found;
  }

  #peekSign(sign: string): boolean {
    const next = this.#tokens[this.#at];
    return next?.kind === 'sign' && next.text === sign;
  }

  #takeWord(word: string): boolean {
    const next = this.#tokens[this.#at];
    const is = next?.kind === 'word' && next.text.toLowerCase() === word;
    if (is) this.#at++;
    return is;
  }
}

function findSub({ extension, attribute }: AttributePath, text: string): AttributePath | null {
  const sub = attribute.subAttributes!.find(({ name }) => name.toLowerCase() === text.toLowerCase());
  return sub === undefined ? null : { extension, attribute, sub };
}

function compare(given: AttributePath, operator: Operator, value: Value): Filter {
  const path = operator === 'pr' ? given : withValue(given);
  const { type, name } = path.sub ?? path.attribute;
  const what = `${name} ${operator}`;
  if (type === 'complex' && operator !== 'pr')
    throw wrong(`${name} has parts: name one of them, such as ${name}.value`);
  if (type === 'boolean' && (ordering.includes(operator) || ofText.includes(operator)))
    throw wrong(`${what} has no meaning: it is true or false`);
  if (type === 'dateTime' && ofText.includes(operator))
    throw wrong(`${what} has no meaning: compare times by ge and lt`);
  if (value === null && operator !== 'pr' && operator !== 'eq' && operator !== 'ne')
    throw wrong(`${what} takes no null`);
  if (operator !== 'pr' && value !== null) requireType(type, what, value);
  return { kind: 'compare', path, operator, value };
}

/** `emails eq "x"` is about their values (RFC 7644, section 3.4.2.2). */
function withValue(path: AttributePath): AttributePath {
  const { attribute, sub } = path;
  if (sub !== null || !attribute.multiValued) return path;
  const value = attribute.subAttributes?.find(({ name }) => name === 'value');
  return value === undefined ? path : { ...path, sub: value };
}

function requireType(type: Attribute['type'], what: string, value: Value): void {
  if (type === 'boolean') {
    // Some clients write it as a text.
    if (typeof value === 'boolean' || (typeof value === 'string' && /^(true|false)$/i.test(value))) return;
    throw wrong(`${what} takes true or false`);
  }
  if (typeof value !== 'string') throw wrong(`${what} takes a text in quotes`);
  // PostgreSQL takes no such character in a text.
  if (value.includes('\0')) throw wrong(`${what} takes no text with the character U+0000`);
  if (type === 'dateTime' && (!/^\d{4}-\d{2}-\d{2}T/.test(value) || Number.isNaN(Date.parse(value))))
    throw wrong(`${what} takes a time such as "2026-01-31T00:00:00Z"`);
}

function wrong(reason: string): ScimError {
  return new ScimError(400, 'invalidFilter', `the filter is wrong: ${reason}`);
}
