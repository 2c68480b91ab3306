/** `npm run demo [-- FOLDER]`: imports the files of an invented company, from an SFTP client to users and teams, on this machine alone. */
import { resolve } from 'node:path';
import { createStage } from './show.js';
import { tellStory } from './story.js';

// A reader that closes the pipe early (`| head`) does not end the demo.
process.stdout.on('error', () => {});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const folder = resolve(process.argv[2] ?? 'demo-data');

try {
  await tellStory(
    folder,
    createStage((text) => process.stdout.write(text)),
  );
} catch (error) {
  console.error(`\nThe demo failed: ${(error as Error).message}`);
  console.error(`Its files are in ${folder}.`);
  process.exitCode = 1;
}
