/** `npm run demo [-- FOLDER]`: a company's files go from an SFTP client to users and teams, on this machine alone. */
import { relative, resolve } from 'node:path';
import { createStage } from './show.js';
import { tellStory } from './story.js';

const folder = resolve(process.argv[2] ?? 'demo-data');

try {
  await tellStory(
    folder,
    createStage((text) => process.stdout.write(text)),
  );
} catch (error) {
  console.error(`\nThe demo failed: ${(error as Error).message}`);
  console.error(`What it left behind is in ${relative(process.cwd(), folder) || folder}.`);
  process.exitCode = 1;
}
