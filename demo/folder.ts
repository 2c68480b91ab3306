/** Creates the demo's folder anew each time; it never removes a folder that the demo did not create. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatePair } from '../keys/host/pair.js';

const marker = '.dropslot-demo';

/** @throws Error when the folder holds something else. */
export async function renewFolder(folder: string): Promise<void> {
  if (existsSync(folder)) {
    const names = await readdir(folder);
    if (names.length > 0 && !names.includes(marker)) {
      throw new Error(`${folder} is not a folder of the demo: name another one, or remove it`);
    }
    await rm(folder, { recursive: true });
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, marker), 'Made by `npm run demo`, and removed by the next one.\n');
}

export interface LoginKey {
  privateKey: string;
  publicKey: string;
}

/** Writes an ed25519 key pair, as `ssh-keygen` would; the paths of the two files. */
export async function writeLoginKey(folder: string, name = 'login_key'): Promise<LoginKey> {
  const pair = generatePair('ed25519');
  const privateKey = join(folder, name);
  await writeFile(privateKey, pair.private, { mode: 0o600 });
  await chmod(privateKey, 0o600);
  await writeFile(`${privateKey}.pub`, `${pair.public} hr-system\n`);
  return { privateKey, publicKey: `${privateKey}.pub` };
}
