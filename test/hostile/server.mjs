/** The built server, with importers that one file hangs; started by importers.test.ts. */
import { serve } from '../../dist/app/serve.js';
import { loadSettings } from '../../dist/config/load.js';

await serve(loadSettings(), { importer: new URL('./importer.mjs', import.meta.url) });
