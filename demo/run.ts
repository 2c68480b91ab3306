/** `npm run demo [-- FOLDER] [--keep]`: imports the files of an invented company, from an SFTP client to users and teams, on this machine alone. */
import { resolve } from 'node:path';
import { openConsole } from './console.js';
import { createStage } from './show.js';
import { tellStory } from './story.js';

// A reader that closes the pipe early (`| head`) does not end the demo.
process.stdout.on('error', () => {});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const args = process.argv.slice(2);
const keeps = args.includes('--keep');
const folder = resolve(args.find((one) => one !== '--keep') ?? 'demo-data');
const stage = createStage((text) => process.stdout.write(text));

try {
  await tellStory(folder, stage);
  await openConsole(folder, stage, keeps);
} catch (error) {
  console.error(`\nThe demo failed: ${(error as Error).message}`);
  console.error(`Its files are in ${folder}.`);
  process.exitCode = 1;
}
