// Makes the built command executable, as npm does for an installed package.
import { chmodSync } from 'node:fs';

chmodSync(new URL('../dist/admin/main.js', import.meta.url), 0o755);
