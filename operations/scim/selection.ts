/** The attributes of an answer: `attributes` and `excludedAttributes` (RFC 7644, section 3.4.2.5). */
import { ScimError } from './error.js';
import type { Resource } from './match.js';
import { type AttributePath, findPath, type ResourceType } from './schemas.js';

export interface Selection {
  /** null: all of them. */
  only: readonly AttributePath[] | null;
  without: readonly AttributePath[];
}

const mostNames = 100;
const always = ['schemas', 'id'];

/** Names that the resource type does not have are left out. @throws ScimError `invalidValue` */
export function readSelection(
  type: ResourceType,
  attributes: readonly string[],
  excluded: readonly string[],
): Selection {
  if (attributes.length > 0 && excluded.length > 0)
    throw new ScimError(400, 'invalidValue', 'give attributes or excludedAttributes, not both');
  if (attributes.length + excluded.length > mostNames)
    throw new ScimError(400, 'invalidValue', `at most ${mostNames} attributes can be named`);
  const find = (names: readonly string[]) => names.flatMap((name) => pathsOf(type, name.trim()));
  return { only: attributes.length === 0 ? null : find(attributes), without: find(excluded) };
}

/** The URI of an extension stands for all its attributes. */
function pathsOf(type: ResourceType, name: string): AttributePath[] {
  const extension = type.extensions.find(({ id }) => id.toLowerCase() === name.toLowerCase());
  if (extension !== undefined)
    return extension.attributes.map((attribute) => ({ extension: extension.id, attribute, sub: null }));
  const found = findPath(type, name);
  return found === null ? [] : [found];
}

/** Whether an answer has the attribute: its values need not be read otherwise. */
export function isSelected({ only, without }: Selection, name: string): boolean {
  const is = ({ extension, attribute }: AttributePath) => extension === null && attribute.name === name;
  return (only === null || only.some(is)) && !without.some((path) => is(path) && path.sub === null);
}

export function select(resource: Resource, { only, without }: Selection): Resource {
  if (only !== null) return keep(resource, only);
  return without.length === 0 ? resource : drop(resource, without);
}

function keep(resource: Resource, paths: readonly AttributePath[]): Resource {
  const kept: Resource = Object.fromEntries(always.map((name) => [name, resource[name]]));
  for (const { extension, attribute, sub } of paths) {
    const from = extension === null ? resource : (resource[extension] as Resource | undefined);
    const value = from?.[attribute.name];
    if (value === undefined) continue;
    if (extension !== null && kept[extension] === undefined) kept[extension] = {};
    const to = extension === null ? kept : (kept[extension] as Resource);
    to[attribute.name] = sub === null ? value : merge(to[attribute.name], value, sub.name);
  }
  return kept;
}

/** Adds one part of each value to the parts that are kept already. */
function merge(kept: unknown, value: unknown, part: string): unknown {
  const pick = (one: Resource, before: Resource = {}) =>
    one[part] === undefined ? before : { ...before, [part]: one[part] };
  if (!Array.isArray(value)) return pick(value as Resource, kept as Resource | undefined);
  return value.map((one, index) => pick(one, (kept as Resource[] | undefined)?.[index]));
}

function drop(resource: Resource, paths: readonly AttributePath[]): Resource {
  const left: Resource = { ...resource };
  for (const { extension, attribute, sub } of paths) {
    if (always.includes(attribute.name)) continue;
    if (extension !== null && left[extension] === undefined) continue;
    const holder: Resource = extension === null ? left : { ...(left[extension] as Resource) };
    if (sub === null) delete holder[attribute.name];
    else if (holder[attribute.name] !== undefined) holder[attribute.name] = without(holder[attribute.name], sub.name);
    if (extension === null) continue;
    if (Object.keys(holder).length === 0) delete left[extension];
    else left[extension] = holder;
  }
  return left;
}

function without(value: unknown, part: string): unknown {
  if (Array.isArray(value)) return value.map((one) => without(one, part));
  const { [part]: _dropped, ...rest } = value as Resource;
  return rest;
}
