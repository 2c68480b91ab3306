/** The environment that other programs are given. */

/** Our own, without our settings, and with `more`. */
export function childEnvironment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('DROPSLOT_'));
  return { ...Object.fromEntries(own), ...more };
}
