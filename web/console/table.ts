/** The table of all pages and actions. */
import { accountRoutes } from './pages/account.js';
import { homeRoutes } from './pages/home.js';
import { importRoutes } from './pages/imports.js';
import { reviewRoutes } from './pages/review.js';
import { startRoutes } from './pages/start.js';
import type { ConsoleRoute } from './route.js';

export const routes: readonly ConsoleRoute[] = [
  ...startRoutes,
  ...accountRoutes,
  ...homeRoutes,
  ...importRoutes,
  ...reviewRoutes,
];
