/** The built server, which dies at a step that its environment names; started by victim.ts. */
import { serve } from '../../dist/app/serve.js';
import { loadSettings } from '../../dist/config/load.js';
import { dieAt } from './fuse.mjs';

await serve(loadSettings(), {
  onStep: dieAt([process.pid]),
  importer: new URL('./importer.mjs', import.meta.url),
});
