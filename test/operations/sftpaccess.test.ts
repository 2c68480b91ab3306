/** SFTP access: the plan must include it, an active admin must request it, an operator must enable it; the audit trail has each step. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { listOrgs } from '../../db/control/orgs.js';
import { addOrganization, enableOrganization, setOrganization } from '../../operations/orgs.js';
import { requestSftp } from '../../operations/sftpaccess.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

onBothDatabases('SFTP access', (open) => {
  test('no login is allowed before an active admin requested it and an operator enabled it', async (t) => {
    const acme = await Company.open(open, t, { enabled: false, sftpRequest: null });
    await acme.import({
      'users.csv': csv(
        'User Email,Is Org Admin,Deactivation Date',
        'ann@acme.test,Yes,',
        'bob@acme.test,No,',
        'eve@acme.test,Yes,2020-01-01',
      ),
    });
    const place = await workplaceOn(t, acme.databases.settings);
    const before = (await listAudit(place.control.read, 'acme')).length;
    await assert.rejects(enableOrganization(place, 'acme'), { code: 'refused', message: /orgs request-sftp acme/ });
    for (const email of ['bob@acme.test', 'eve@acme.test', 'nobody@acme.test'])
      await assert.rejects(requestSftp(place, 'acme', email), { code: 'refused', message: /not an active admin/ });
    const asked = await requestSftp(place, 'acme', ' ANN@acme.test ');
    assert.deepEqual([asked.enabled, asked.sftpRequest!.by], [false, 'ann@acme.test']);
    assert.ok((await enableOrganization(place, 'acme')).enabled);
    const events = (await listAudit(place.control.read, 'acme')).slice(before);
    assert.deepEqual(
      events.map(({ action, actor }) => [action, actor]),
      [
        ['org.sftp_requested', place.actor],
        ['org.enabled', place.actor],
      ],
    );
    assert.ok(!JSON.stringify(events).includes('@acme'), 'no address in the audit trail');
  });

  test('an organization whose plan does not include SFTP access is not enabled, neither new nor later', async (t) => {
    const { settings } = await open(t);
    const place = await workplaceOn(t, { ...settings, sftpPlans: 'enterprise, business' });
    const fields = { ownerEmail: 'jane@acme.test', plan: 'free' };
    await assert.rejects(addOrganization(place, 'acme', fields, true), {
      code: 'refused',
      message: /"free" does not include SFTP access/,
    });
    assert.deepEqual(await listOrgs(place.control.read), [], 'nothing was made');
    await addOrganization(place, 'acme', fields, false);
    await assert.rejects(requestSftp(place, 'acme', 'jane@acme.test'), { code: 'refused' });
    await setOrganization(place, 'acme', { plan: 'business' });
    await requestSftp(place, 'acme', 'jane@acme.test');
    assert.ok((await enableOrganization(place, 'acme')).enabled);
    const stays = await setOrganization(place, 'acme', { plan: 'enterprise' });
    assert.deepEqual(
      [stays.enabled, stays.sftpRequest?.by],
      [true, 'jane@acme.test'],
      'both plans include SFTP access',
    );

    const told: string[] = [];
    const before = (await listAudit(place.control.read, 'acme')).length;
    await setOrganization(place, 'acme', { plan: 'free' }, { note: (line) => told.push(line) });
    assert.match(told.join('\n'), /disabled SFTP access for acme[\s\S]*request-sftp acme/);
    await assert.rejects(enableOrganization(place, 'acme'), {
      code: 'refused',
      message: /"free" does not include SFTP access/,
    });
    const again = await setOrganization(place, 'acme', { plan: 'enterprise' });
    assert.deepEqual([again.enabled, again.sftpRequest], [false, null]);
    await assert.rejects(enableOrganization(place, 'acme'), { code: 'refused', message: /request-sftp/ });
    await requestSftp(place, 'acme', 'jane@acme.test');
    assert.ok((await enableOrganization(place, 'acme')).enabled);
    assert.deepEqual(
      (await listAudit(place.control.read, 'acme')).slice(before).map(({ action }) => action),
      [
        ...['org.changed', 'org.disabled', 'org.sftp_request_ended'],
        ...['org.changed', 'org.sftp_requested', 'org.enabled'],
      ],
    );
  });

  test('a plan that lost SFTP access by a setting does not regain it by a change to another plan', async (t) => {
    const { settings } = await open(t);
    const place = await workplaceOn(t, settings);
    await addOrganization(place, 'acme', { ownerEmail: 'jane@acme.test', plan: 'enterprise' }, true);
    const later = { ...place, settings: { ...settings, sftpPlans: 'gold' } };
    assert.equal(
      (await setOrganization(later, 'acme', { name: 'Acme' })).enabled,
      true,
      'the plan alone prevents its logins',
    );
    assert.equal((await setOrganization(later, 'acme', { plan: 'gold' })).enabled, false);
  });
});
