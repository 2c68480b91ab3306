/** The control database's schema: organizations, login keys, the virtual tree, uploads and their queue, runs, audit. */
import type { Knex } from 'knex';
import { accounts } from './accounts.js';
import { alarms } from './alarms.js';
import { auditChain } from './audit.js';
import { backupAudit } from './backupaudit.js';
import { backupClaims } from './backupclaims.js';
import { backups } from './backups.js';
import { blobPlace } from './blobplace.js';
import { cadence } from './cadence.js';
import { checkReports } from './checkreports.js';
import { checks } from './checks.js';
import { checkVerdicts } from './checkverdicts.js';
import { connections } from './connections.js';
import { cutOffs } from './cutoffs.js';
import { directoryKey } from './directorykey.js';
import { downloads } from './downloads.js';
import { erasureKey } from './erasures.js';
import { eventIndexes } from './eventindexes.js';
import { controlEvents } from './events.js';
import { expectations } from './expectations.js';
import { failedRuns } from './failedruns.js';
import { faults } from './faults.js';
import { claimEpochs } from './fences.js';
import { fileNames } from './filenames.js';
import { foldedNames } from './foldednames.js';
import { addGuard } from './guard.js';
import { handlers } from './handlers.js';
import { keyOwners } from './keyowners.js';
import { addLoginKeyTerms } from './loginkeys.js';
import type { Migration } from './migrate.js';
import { movedNames } from './movednames.js';
import { moves } from './moves.js';
import { openBytes } from './openbytes.js';
import { order } from './order.js';
import { controlPair } from './pair.js';
import { partialLease } from './partiallease.js';
import { addDoors } from './penalties.js';
import { pgpKeys } from './pgpkeys.js';
import { pool } from './pool.js';
import { runIndexes } from './runindexes.js';
import { openSessions } from './sessions.js';
import { requests } from './sftpaccess.js';
import { passkeys, providers } from './signin.js';
import { sources } from './sources.js';
import { tokens } from './tokens.js';
import { unsyncedBlobs } from './unsyncedblobs.js';
import { uploadRecords } from './uploadrecords.js';
import { workers } from './workers.js';
import { writerLeases } from './writerleases.js';

export const controlMigrations: readonly Migration[] = [
  { name: '001_begin', up: begin },
  { name: '002_intake', up: addIntake },
  { name: '003_keys', up: addKeys },
  { name: '004_options', up: addOptions },
  auditChain,
  { name: '006_doors', up: addDoors },
  { name: '007_login_keys', up: addLoginKeyTerms },
  { name: '008_guard', up: addGuard },
  checks,
  requests,
  cadence,
  alarms,
  expectations,
  foldedNames,
  movedNames,
  checkReports,
  erasureKey,
  pool,
  order,
  faults,
  backupAudit,
  fileNames,
  controlPair,
  uploadRecords,
  directoryKey,
  controlEvents,
  pgpKeys,
  sources,
  tokens,
  eventIndexes,
  handlers,
  accounts,
  failedRuns,
  openSessions,
  checkVerdicts,
  writerLeases,
  backups,
  moves,
  providers,
  passkeys,
  downloads,
  openBytes,
  keyOwners,
  connections,
  claimEpochs,
  partialLease,
  workers,
  blobPlace,
  unsyncedBlobs,
  backupClaims,
  runIndexes,
  cutOffs,
];

/** Times are milliseconds since 1970 (`…_at`, `…_ms`); flags are 0 or 1; both alike on SQLite and PostgreSQL. */
async function begin(knex: Knex): Promise<void> {
  await knex.schema.createTable('orgs', (table) => {
    table.text('id').primary();
    table.text('name').notNullable();
    table.text('owner_email').notNullable();
    table.text('plan').notNullable();
    table.integer('enabled').notNullable();
    table.text('slot').notNullable(); // HH:MM, wall clock of time_zone
    table.text('time_zone').notNullable(); // IANA
    table.text('date_format').notNullable(); // auto, mdy, dmy
    table.text('teams_mode').notNullable(); // add, replace
    table.text('recipient').notNullable(); // age1…: seals this organization's files
    table.text('sealed_identity'); // armored age file for the master recipient; null once destroyed
    table.bigInteger('created_at').notNullable();
    table.bigInteger('slots_from').notNullable(); // slots before this time are not caught up
  });

  await knex.schema.createTable('login_keys', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('fingerprint').notNullable(); // SHA256:…
    table.text('algorithm').notNullable();
    table.text('public_key').notNullable(); // base64 of the SSH wire format
    table.text('label').notNullable();
    table.text('sources').notNullable(); // JSON array of CIDRs; [] allows every address
    table.bigInteger('expires_at');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('revoked_at');
    table.bigInteger('first_used_at');
    table.bigInteger('last_used_at');
    table.text('last_used_from');
    table.text('last_used_client');
    table.unique(['org_id', 'fingerprint']);
  });

  await knex.schema.createTable('blobs', (table) => {
    table.text('id').primary(); // random, 128 bits in hex
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.bigInteger('size').notNullable(); // plaintext bytes
    table.bigInteger('sealed_size').notNullable();
    table.text('sha256').notNullable(); // of the plaintext, hex
    table.bigInteger('created_at').notNullable();
    table.index(['org_id']);
  });

  await knex.schema.createTable('uploads', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('path').notNullable(); // where it was closed, or renamed to
    table.text('blob_id').notNullable().references('blobs.id');
    // stored (complete under a temporary name), queued, running, imported, refused, superseded, withdrawn
    table.text('state').notNullable();
    table.bigInteger('run_id');
    table.text('key_fingerprint');
    table.text('address');
    table.text('client');
    table.bigInteger('begun_at').notNullable();
    table.bigInteger('closed_at').notNullable();
    table.bigInteger('queued_at');
    table.bigInteger('settled_at');
    table.text('archived_as');
    table.index(['org_id', 'state', 'queued_at']);
    table.index(['run_id']);
    table.index(['blob_id']);
  });

  await knex.schema.createTable('entries', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('dir').notNullable(); // the parent folder's path; "/" is the root, which has no row
    table.text('name').notNullable();
    table.text('kind').notNullable(); // file, dir
    table.text('blob_id').references('blobs.id');
    table.bigInteger('upload_id').references('uploads.id');
    table.bigInteger('size').notNullable(); // plaintext bytes; 0 for folders
    table.integer('mode').notNullable(); // permission bits as the client set them
    table.bigInteger('mtime_ms').notNullable();
    table.bigInteger('atime_ms').notNullable();
    table.bigInteger('created_at').notNullable();
    table.unique(['org_id', 'dir', 'name']);
    table.index(['blob_id']);
  });

  await knex.schema.createTable('runs', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('kind').notNullable(); // slot, manual
    table.text('slot_date'); // yyyy-mm-dd in the organization's time zone; null for manual runs
    table.text('state').notNullable(); // open, running, done, failed
    table.bigInteger('opened_at').notNullable();
    table.bigInteger('started_at');
    table.bigInteger('finished_at');
    table.integer('attempts').notNullable().defaultTo(0);
    table.text('lease_owner');
    table.bigInteger('lease_until');
    table.text('progress'); // JSON: phase, file, rows
    table.text('summary'); // JSON
    table.text('failure'); // a sentence, when the state is failed
    table.unique(['org_id', 'slot_date']); // opens a slot once, however many nodes wake
    table.index(['state']);
  });
  // One importer at a time works on an organization.
  await knex.raw("CREATE UNIQUE INDEX runs_running ON runs (org_id) WHERE state = 'running'");

  await knex.schema.createTable('audit', (table) => {
    table.bigIncrements('id');
    table.bigInteger('at').notNullable();
    table.text('org_id'); // kept when the organization is removed
    table.text('actor').notNullable(); // key:<fingerprint>, operator:<user>, system
    table.text('action').notNullable(); // upload.closed, key.added, …
    table.text('subject').notNullable();
    table.text('detail').notNullable(); // JSON
    table.index(['org_id', 'at']);
  });
}

/** Interrupted uploads, and storage limits of each organization. */
async function addIntake(knex: Knex): Promise<void> {
  await knex.schema.alterTable('orgs', (table) => {
    table.text('limits').notNullable().defaultTo('{}'); // JSON; a limit that is missing is the settings'
  });

  await knex.schema.createTable('partials', (table) => {
    table.text('id').primary(); // of the file in partials/
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('dir').notNullable();
    table.text('name').notNullable();
    // open (an upload in progress, or one whose server died), kept (cut off: may be resumed)
    table.text('state').notNullable();
    table.bigInteger('size').notNullable(); // plaintext bytes that can be read; 0 while it is open
    table.text('based_on'); // the partial that this upload resumed
    table.text('node').notNullable(); // age1…: the node whose key opens payload_key
    table.text('payload_key').notNullable(); // sealed to node; never that of a file that is published
    table.integer('header_bytes').notNullable(); // where the file's payload begins
    table.integer('mode').notNullable();
    table.bigInteger('mtime_ms').notNullable();
    table.bigInteger('atime_ms').notNullable();
    table.bigInteger('begun_at').notNullable();
    table.bigInteger('updated_at').notNullable();
    table.index(['org_id', 'dir', 'name']);
    table.index(['updated_at']);
  });
  await knex.schema.alterTable('uploads', (table) => {
    table.index(['state', 'settled_at']);
    table.index(['org_id', 'path']);
  });
}

/** Identities that are rotated out, and which identity each blob is sealed to. */
async function addKeys(knex: Knex): Promise<void> {
  await knex.schema.alterTable('orgs', (table) => {
    table.text('old_identities').notNullable().defaultTo('[]'); // JSON: {recipient, sealedIdentity, retiredAt}
  });
  await knex.schema.alterTable('blobs', (table) => {
    table.text('sealed_to'); // the recipient's key id; null: the blob is older than this column
  });
}

/** Options of one organization. */
async function addOptions(knex: Knex): Promise<void> {
  await knex.schema.alterTable('orgs', (table) => {
    table.text('options').notNullable().defaultTo('{}'); // JSON; an option that is missing was not chosen
  });
}
