/** Patterns of names, as operators write them: `*` and `?`, in upper and lower case alike. */
import { foldName } from '../db/control/names.js';

/**
 * Whether a pattern matches a path. `wip-*` and `*.dat` match the file's name; a pattern with `/` matches the whole path from the root,
 * `*` within one folder; a pattern that ends with `/` matches every file in folders of that name, or below that path.
 * Its time is bounded by the product of the lengths.
 */
export function matchesPattern(pattern: string, path: string): boolean {
  const names = foldName(path).split('/').slice(1);
  const parts = foldName(pattern).split('/');
  const folders = names.slice(0, -1);
  const isFolder = parts.at(-1) === '';
  if (isFolder) parts.pop();
  if (parts.length === 1) return (isFolder ? folders : names.slice(-1)).some((name) => matchesName(parts[0]!, name));
  if (parts[0] === '') parts.shift();
  const compared = isFolder ? folders.slice(0, parts.length) : names;
  return compared.length === parts.length && parts.every((part, at) => matchesName(part, compared[at]!));
}

/** Goes back to the last `*` only: an earlier one never has to match more. */
function matchesName(pattern: string, name: string): boolean {
  const wanted = [...pattern];
  const given = [...name];
  let [at, star, tried] = [0, -1, 0];
  for (let i = 0; i < given.length; ) {
    if (wanted[at] === '*') {
      star = at++;
      tried = i;
    } else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[i])) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++tried;
    } else return false;
  }
  return wanted.slice(at).every((rest) => rest === '*');
}
