/** Decides whether a resource fits a filter, and what a database can decide of it. */
import type { Filter, Operator, Value } from './filter.js';
import type { Attribute, AttributePath } from './schemas.js';

export type Resource = Record<string, unknown>;

export function matches(resource: Resource, filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.terms.every((term) => matches(resource, term));
    case 'or':
      return filter.terms.some((term) => matches(resource, term));
    case 'not':
      return !matches(resource, filter.term);
    case 'some':
      return valuesOf(holderOf(resource, filter.path)?.[filter.path.attribute.name]).some((value) =>
        matchesValue(value as Resource, filter.term),
      );
    case 'compare':
      return compares(read(resource, filter.path), filter);
  }
}

/** Inside of brackets: the paths are those of parts of one value. */
function matchesValue(value: Resource, filter: Filter): boolean {
  if (filter.kind === 'compare') return compares(valuesOf(value[filter.path.sub!.name]), filter);
  if (filter.kind === 'not') return !matchesValue(value, filter.term);
  if (filter.kind === 'some') return false;
  const test = (term: Filter) => matchesValue(value, term);
  return filter.kind === 'and' ? filter.terms.every(test) : filter.terms.some(test);
}

function compares(found: readonly unknown[], { path, operator, value }: Extract<Filter, { kind: 'compare' }>): boolean {
  if (operator === 'pr') return found.length > 0;
  if (value === null) return (found.length === 0) === (operator === 'eq');
  const attribute = path.sub ?? path.attribute;
  // Not equal: no value is equal, also where there is none.
  if (operator === 'ne') return !found.some((one) => compareOne(one, 'eq', value, attribute));
  return found.some((one) => compareOne(one, operator, value, attribute));
}

function compareOne(found: unknown, operator: Operator, value: Value, { type, caseExact }: Attribute): boolean {
  if (type === 'boolean') return found === (String(value).toLowerCase() === 'true');
  if (type === 'dateTime') return ofOrder[operator]?.(Date.parse(String(found)) - Date.parse(String(value))) ?? false;
  const fold = (text: unknown) => (caseExact ? String(text) : String(text).toLowerCase());
  const [one, other] = [fold(found), fold(value)];
  return ofText[operator]?.(one, other) ?? ofOrder[operator]?.(one < other ? -1 : one > other ? 1 : 0) ?? false;
}

/** Of the difference of two values. */
const ofOrder: Partial<Record<Operator, (difference: number) => boolean>> = {
  eq: (difference) => difference === 0,
  gt: (difference) => difference > 0,
  ge: (difference) => difference >= 0,
  lt: (difference) => difference < 0,
  le: (difference) => difference <= 0,
};

const ofText: Partial<Record<Operator, (one: string, other: string) => boolean>> = {
  co: (one, other) => one.includes(other),
  sw: (one, other) => one.startsWith(other),
  ew: (one, other) => one.endsWith(other),
};

function holderOf(resource: Resource, { extension }: AttributePath): Resource | undefined {
  return extension === null ? resource : (resource[extension] as Resource | undefined);
}

/** The values at a path; none where the attribute is absent. */
function read(resource: Resource, path: AttributePath): unknown[] {
  const values = valuesOf(holderOf(resource, path)?.[path.attribute.name]);
  return path.sub === null ? values : values.flatMap((one) => valuesOf((one as Resource)[path.sub!.name]));
}

function valuesOf(value: unknown): unknown[] {
  if (value === undefined || value === null || value === '') return [];
  return Array.isArray(value) ? value : [value];
}

/** Whether the filter asks for an attribute of this name. */
export function mentions(filter: Filter | null, name: string): boolean {
  if (filter === null) return false;
  if (filter.kind === 'not') return mentions(filter.term, name);
  if ('terms' in filter) return filter.terms.some((term) => mentions(term, name));
  return filter.path.attribute.name === name;
}

/** The comparisons that every resource which fits must fulfil: those that are joined by "and" alone. */
export function necessary(filter: Filter | null): { name: string; operator: Operator; value: Value }[] {
  if (filter === null) return [];
  if (filter.kind === 'and') return filter.terms.flatMap(necessary);
  if (filter.kind !== 'compare' || filter.path.extension !== null) return [];
  const { attribute, sub } = filter.path;
  const name = sub === null ? attribute.name : `${attribute.name}.${sub.name}`;
  return [{ name, operator: filter.operator, value: filter.value }];
}

/** Comparisons that a database decides as this file does. */
const decided: Readonly<Record<string, readonly Operator[]>> = {
  id: ['eq'],
  active: ['eq'],
  'groups.value': ['eq'],
  'members.value': ['eq'],
  'meta.lastModified': ['gt', 'ge'],
};

/** Whether the necessary comparisons decide all of the filter, and the database decides each of them. */
export function isDecided(filter: Filter): boolean {
  const terms = necessary(filter);
  if (terms.length !== countTerms(filter)) return false;
  const names = terms.map(({ name }) => name);
  // Of two about one attribute the database gets one.
  if (new Set(names).size < names.length) return false;
  return terms.every(({ name, operator, value }) => {
    if (value === null || decided[name]?.includes(operator) !== true) return false;
    return name !== 'meta.lastModified' || Number.isFinite(Date.parse(String(value)));
  });
}

function countTerms(filter: Filter): number {
  return filter.kind === 'and' ? filter.terms.reduce((sum, term) => sum + countTerms(term), 0) : 1;
}
