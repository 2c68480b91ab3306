/** Describes the measuring machine, without names of hosts or people. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { readVersion } from './workbench.js';

/** Lines for the top of the results. */
export async function describeMachine(place: string, now: Date): Promise<string[]> {
  const processors = cpus();
  const gibibytes = (totalmem() / 1024 ** 3).toFixed(0);
  return [
    `- ${now.toISOString().slice(0, 10)}, Dropslot ${await readVersion()}, Node.js ${process.version}, csv-parse ${parserVersion()}`,
    `- ${versionOf('ssh', '-V')}; ${versionOf('rclone', 'version')}`,
    `- ${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${gibibytes} GiB of memory, ${type()} ${release().split('-')[0]}, data on ${fileSystemOf(place)}`,
  ];
}

function versionOf(command: string, flag: string): string {
  try {
    // `ssh -V` speaks on standard error.
    return execFileSync('sh', ['-c', `${command} ${flag} 2>&1`], { encoding: 'utf8' })
      .split('\n')[0]!
      .trim();
  } catch {
    return `no ${command}`;
  }
}

function parserVersion(): string {
  const text = readFileSync(new URL('../node_modules/csv-parse/package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function fileSystemOf(place: string): string {
  try {
    return execFileSync('stat', ['-f', '-c', '%T', place], { encoding: 'utf8' }).trim();
  } catch {
    return 'an unknown file system';
  }
}
