/** Plausible rows for tests that are about something else. */
import type { Org } from '../../db/control/orgs.js';

export function sampleOrg(id: string, change: Partial<Org> = {}): Org {
  return {
    id,
    name: id.toUpperCase(),
    ownerEmail: `owner@${id}.test`,
    plan: 'enterprise',
    enabled: true,
    slot: '02:00',
    timeZone: 'Europe/Berlin',
    dateFormat: 'auto',
    teamsMode: 'add',
    recipient: 'age1unset',
    sealedIdentity: 'unset',
    oldIdentities: [],
    createdAt: Date.UTC(2026, 0, 1),
    slotsFrom: Date.UTC(2026, 0, 1),
    expectFrom: 0,
    sftpRequest: { at: Date.UTC(2026, 0, 1), by: `owner@${id}.test` },
    limits: {},
    options: {},
    ...change,
  };
}
