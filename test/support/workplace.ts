/** A workplace over a test's databases, as commands open it. */
import type { TestContext } from 'node:test';
import { openWorkplace, type Workplace } from '../../admin/compose.js';
import type { Settings } from '../../config/settings.js';

export async function workplaceOn(t: TestContext, settings: Settings): Promise<Workplace> {
  const place = await openWorkplace(settings, { create: true });
  t.after(() => place.close());
  return place;
}
