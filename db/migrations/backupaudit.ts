/** Control database: finds the record of the last backup without reading the trail. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const backupAudit: Migration = { name: '050_backup_audit', up: addBackupIndex };

async function addBackupIndex(knex: Knex): Promise<void> {
  await knex.schema.raw("CREATE INDEX audit_backups ON audit (seq) WHERE action = 'backup.made'");
}
