/** The built server, with importers that hang when they are told to; started by pool.ts. */
import { serve } from '../../dist/app/serve.js';
import { loadSettings } from '../../dist/config/load.js';

await serve(loadSettings(), { importer: new URL('./poolimporter.mjs', import.meta.url) });
