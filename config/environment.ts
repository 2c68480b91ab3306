/** The environment: what other programs are given of it, and what an SSH server says in it. */

/** Our own, without our settings, and with `more`. */
export function childEnvironment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('DROPSLOT_'));
  return { ...Object.fromEntries(own), ...more };
}

/** What an OpenSSH sshd tells the command that it runs (ssh(1), ENVIRONMENT). null: not said. */
export interface SshdVariables {
  /** Addresses and ports of the client and of the server, four words. */
  connection: string | null;
  /** A file with the methods and keys that let the user in; there with `ExposeAuthInfo yes`. */
  userAuth: string | null;
  /** What the client asked for, where the operator forces another command. */
  originalCommand: string | null;
}

export function readSshdVariables(env: NodeJS.ProcessEnv = process.env): SshdVariables {
  return {
    connection: env.SSH_CONNECTION ?? null,
    userAuth: env.SSH_USER_AUTH ?? null,
    originalCommand: env.SSH_ORIGINAL_COMMAND ?? null,
  };
}
