/** The table of all routes. */
import type { Route } from './route.js';
import { aliasRoutes } from './routes/aliases.js';
import { backupRoutes } from './routes/backups.js';
import { checkRoutes } from './routes/checks.js';
import { credentialRoutes } from './routes/credentials.js';
import { directoryRoutes } from './routes/directory.js';
import { doorRoutes } from './routes/doors.js';
import { dropRoutes } from './routes/drops.js';
import { editRoutes } from './routes/edits.js';
import { erasureRoutes } from './routes/erasure.js';
import { fileRoutes } from './routes/files.js';
import { keyRoutes } from './routes/keys.js';
import { networkRoutes } from './routes/network.js';
import { notificationRoutes } from './routes/notifications.js';
import { orgRoutes } from './routes/orgs.js';
import { peopleRoutes } from './routes/people.js';
import { pgpRoutes } from './routes/pgp.js';
import { recordRoutes } from './routes/records.js';
import { runReportRoutes } from './routes/runreports.js';
import { runRoutes } from './routes/runs.js';
import { serverRoutes } from './routes/server.js';
import { sessionRoutes } from './routes/sessions.js';
import { setupRoutes } from './routes/setup.js';
import { sheetRoutes } from './routes/sheets.js';
import { subscriberRoutes } from './routes/subscribers.js';
import { systemRoutes } from './routes/system.js';
import { tokenRoutes } from './routes/tokens.js';

export const routes: readonly Route[] = [
  ...serverRoutes,
  ...orgRoutes,
  ...sheetRoutes,
  ...keyRoutes,
  ...credentialRoutes,
  ...pgpRoutes,
  ...dropRoutes,
  ...fileRoutes,
  ...runRoutes,
  ...checkRoutes,
  ...directoryRoutes,
  ...editRoutes,
  ...aliasRoutes,
  ...erasureRoutes,
  ...runReportRoutes,
  ...recordRoutes,
  ...doorRoutes,
  ...subscriberRoutes,
  ...notificationRoutes,
  ...networkRoutes,
  ...sessionRoutes,
  ...tokenRoutes,
  ...peopleRoutes,
  ...setupRoutes,
  ...systemRoutes,
  ...backupRoutes,
];
