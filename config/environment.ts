/** The environment of the program: its version, the user it runs as, and the environment variables that are not settings. */
import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Dropslot's version. The manifest is beside the rooms in the sources, and one folder further up from `dist/`. */
export function readVersion(): string {
  version ??= readManifest().version;
  return version;
}

let version: string | null = null;

function readManifest(): { version: string } {
  const beside = new URL('../package.json', import.meta.url);
  const manifest = readFileSync(existsSync(beside) ? beside : new URL('../../package.json', import.meta.url), 'utf8');
  return JSON.parse(manifest) as { version: string };
}

/** The commit that the running program was built from; `unknown` if the build did not know it, `sources` without a build. */
export function readBuild(): string {
  const file = new URL('../build.json', import.meta.url);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { build: string }).build : 'sources';
}

/** The name of the user that the process runs as; its number where a container has no name for it. */
export function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** The name of a user of this machine; its number where /etc/passwd has none. */
export function userName(uid: number): string {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    return lines.find((line) => line.split(':')[2] === String(uid))?.split(':')[0] ?? `user ${uid}`;
  } catch {
    return `user ${uid}`;
  }
}

/**
 * Has SQLite put its temporary files, which may have values of users, into this folder. It reads the variable once, when the
 * first database of the process is opened.
 */
export function keepTemporaryFiles(folder: string): void {
  process.env.SQLITE_TMPDIR = folder;
}

/** Whether a package is there for this program. */
export function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** The client of object stores would tell every command that a later version of it needs a later Node. */
export function silenceStoreClient(): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
}

/** The environment for a program that Dropslot starts: the process's own without Dropslot's settings, and with `more`. */
export function childEnvironment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('DROPSLOT_'));
  return { ...Object.fromEntries(own), ...more };
}

/** The variables that an OpenSSH sshd sets for the command that it runs (ssh(1), ENVIRONMENT). null: the variable is not set. */
export interface SshdVariables {
  /** Addresses and ports of the client and of the server, four words. */
  connection: string | null;
  /** A file with the methods and keys that the user logged in with; sshd writes it with `ExposeAuthInfo yes`. */
  userAuth: string | null;
  /** The command that the client asked for, where the operator forces another one. */
  originalCommand: string | null;
}

export function readSshdVariables(env: NodeJS.ProcessEnv = process.env): SshdVariables {
  return {
    connection: env.SSH_CONNECTION ?? null,
    userAuth: env.SSH_USER_AUTH ?? null,
    originalCommand: env.SSH_ORIGINAL_COMMAND ?? null,
  };
}

/** Whether texts on a terminal may have colours (https://no-color.org), and whether a line there may be written over. */
export function readTerminalVariables(env: NodeJS.ProcessEnv = process.env): {
  mayColor: boolean;
  mayRewrite: boolean;
} {
  const isDumb = env.TERM === 'dumb';
  return { mayColor: !isDumb && (env.NO_COLOR ?? '') === '', mayRewrite: !isDumb };
}
