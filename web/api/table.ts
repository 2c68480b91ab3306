/** The table of all routes. */
import type { Route } from './route.js';
import { checkRoutes } from './routes/checks.js';
import { directoryRoutes } from './routes/directory.js';
import { dropRoutes } from './routes/drops.js';
import { fileRoutes } from './routes/files.js';
import { keyRoutes } from './routes/keys.js';
import { orgRoutes } from './routes/orgs.js';
import { recordRoutes } from './routes/records.js';
import { runRoutes } from './routes/runs.js';
import { serverRoutes } from './routes/server.js';

export const routes: readonly Route[] = [
  ...serverRoutes,
  ...orgRoutes,
  ...keyRoutes,
  ...dropRoutes,
  ...fileRoutes,
  ...runRoutes,
  ...checkRoutes,
  ...directoryRoutes,
  ...recordRoutes,
];
