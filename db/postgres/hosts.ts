/** The servers of a database's URL: `postgres://USER@A,B:5433/NAME` names two, as PostgreSQL's own programs write it. */

/** A URL for each server, in their order. */
export function readHosts(url: string): string[] {
  const [, begin, hosts, end] = /^(\w+:\/\/(?:[^@/?#]*@)?)([^/?#]*)(.*)$/s.exec(url) ?? [];
  if (begin === undefined || !hosts!.includes(',')) return [url];
  return hosts!
    .split(',')
    .filter((host) => host !== '')
    .map((host) => `${begin}${host}${end}`);
}

/** For PostgreSQL's own programs, which take any server of several unless they are told otherwise. */
export function forWriting(url: string): string {
  if (readHosts(url).length === 1 || /[?&]target_session_attrs=/.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}target_session_attrs=read-write`;
}
