/** The doctor says whether users and teams are encrypted at rest, and by whom. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { examineDirectorySeal, isEncryptedVolume } from '../../operations/doctor/directoryseal.js';
import type { Workplace } from '../../operations/workplace.js';
import { temporaryFolder } from '../support/temporary.js';

test('each state has its words: in the clear, sealed, on an encrypted volume, on PostgreSQL, without a key', async (t) => {
  const [clear, data] = [temporaryFolder(t), temporaryFolder(t)];
  const say = async (given: Record<string, unknown>, change: Partial<Workplace> = {}) => {
    const place = await openWorkplace(settingsSchema.parse(given), { create: true });
    const findings = examineDirectorySeal({ ...place, ...change });
    await place.close();
    return findings.map(({ level, message }) => `${level}: ${message}`).join();
  };
  assert.match(
    await say({ data: clear }),
    /^warning: users and teams are in it in the clear: .*dropslot directory seal/,
  );
  assert.match(await say({ data: clear, sealDirectory: 'volume' }), /^ok: not sealed; /);
  const postgres = { control: { dialect: 'postgres' } as Workplace['control'] };
  assert.match(await say({ data: clear }, postgres), /^warning: .* can't seal them on PostgreSQL; encrypt the volume/);
  assert.match(await say({ data, sealDirectory: 'on' }), /^ok: sealed: users and teams are encrypted$/);
  assert.match(await say({ data }), /^ok: sealed: .* set sealDirectory to on/);
  assert.match(
    await say({ data, role: 'intake' }),
    /^ok: sealed; this node, which only takes uploads, has no key for it$/,
  );
  assert.match(await say({ data, masterKey: join(data, 'none') }), /wrong: .*there is no master key at/);
});

test('an encrypted volume is found below logical volumes', (t) => {
  const root = temporaryFolder(t);
  const device = (name: string, uuid: string | null, ...slaves: string[]) => {
    mkdirSync(join(root, name, 'dm'), { recursive: true });
    mkdirSync(join(root, name, 'slaves'));
    if (uuid !== null) writeFileSync(join(root, name, 'dm', 'uuid'), `${uuid}\n`);
    for (const slave of slaves) symlinkSync(join(root, slave), join(root, name, 'slaves', slave));
  };
  device('8:1', null);
  device('253:0', 'CRYPT-LUKS2-0123-luks', '8:1');
  device('253:1', 'LVM-0123', '253:0');
  device('253:300', 'LVM-0124', '8:1');
  const found = [0x801, 0xfd00, 0xfd01, 0x10fd2c, 0x1].map((number) => isEncryptedVolume(number, root));
  assert.deepEqual(found, [false, true, true, false, false]);
});
