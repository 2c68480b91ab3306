/** Routes of the queue and of stored files. */
import { z } from 'zod';
import { readFileContent, walkFiles } from '../../../operations/files.js';
import { fileToJson, queuedToJson, uploadToJson } from '../../../operations/forms/files.js';
import { holding, takeDownload } from '../../../operations/places.js';
import { listUploads, listWaiting, listWaitingAfter, type QueuedFile } from '../../../operations/queue.js';
import { requeueStoredFile } from '../../../operations/retry.js';
import {
  count,
  maybeTime,
  orgParams,
  pageByKey,
  pageByPlace,
  pageOf,
  pageQuery,
  pick,
  readNumber,
  time,
} from '../forms.js';
import { type Route, route } from '../route.js';

const path = z.string().min(1).max(8_000);

const queued = z.strictObject({
  upload: count,
  org: z.string(),
  path: z.string(),
  size: count,
  sha256: z.string(),
  state: z.string(),
  note: z.string().nullable(),
  /** The verdict of the early check; null: it was not checked. */
  check: z.string().nullable(),
  checkedAt: maybeTime,
  /** The run that blocks the next imports; null: none is held. */
  heldRun: count.nullable(),
  queuedAt: maybeTime,
  closedAt: time,
  /** null: it did not come by a key; `client` names its door then. */
  keyFingerprint: z.string().nullable(),
  address: z.string().nullable(),
  client: z.string().nullable(),
});

const upload = queued.omit({ heldRun: true }).extend({
  /** The run that has or had it; null: none. */
  run: count.nullable(),
  settledAt: maybeTime,
  /** Its path in the archive. */
  archivedAs: z.string().nullable(),
  /** null: the file was not read yet, or has neither. */
  type: z.enum(['users', 'teams']).nullable(),
  rows: count.nullable(),
});

const file = z.strictObject({
  path: z.string(),
  kind: z.enum(['file', 'dir']),
  size: count,
  state: z.string().nullable(),
  note: z.string().nullable(),
  modifiedAt: time,
  createdAt: time,
});

export const fileRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/queue',
    summary:
      'Files of held runs, files that wait for their import, and stored files that are not imported, of all organizations',
    right: 'read',
    isOfServer: true,
    query: pageQuery,
    answer: pageOf(queued),
    handle: async ({ workplace, query }) => {
      const range = { after: readNumber(query) ?? 0, limit: query.limit + 1 };
      const { files, heldRuns } = await listWaitingAfter(workplace, range);
      const toJson = (upload: QueuedFile) => queuedToJson(upload, heldRuns.get(upload.org) ?? null);
      return pageByKey(files, query, ({ id }) => id, toJson);
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/queue',
    summary: 'Files of a held run, files that wait for the next import, and stored files that are not imported',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(queued),
    handle: async ({ workplace, params, query }) => {
      const { files, heldRuns } = await listWaiting(workplace, params.org);
      return pageByPlace(files, query, (upload) => queuedToJson(upload, heldRuns.get(upload.org) ?? null));
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/uploads',
    summary:
      'Every upload that is complete, with what became of it, the newest first; also those whose files were removed',
    right: 'read',
    params: orgParams,
    query: pageQuery.extend({ search: z.string().max(200).default('') }),
    answer: pageOf(upload),
    handle: async ({ workplace, params, query }) => {
      const { search: text, limit } = query;
      const uploads = await listUploads(workplace, params.org, { text, before: readNumber(query), limit: limit + 1 });
      return pageByKey(uploads, query, ({ id }) => id, uploadToJson);
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/files',
    summary: 'Files and folders below a path: uploads, archive, reports, templates',
    right: 'read',
    params: orgParams,
    query: pageQuery.extend({ path: path.default('/') }),
    answer: pageOf(file),
    handle: ({ workplace, params, query }) =>
      pageByPlace(walkFiles(workplace, params.org, query.path), query, (one) => pick(file, fileToJson(one))),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/files/content',
    summary: 'The content of a stored file; recorded in the audit trail',
    right: 'read',
    params: orgParams,
    query: z.strictObject({ path }),
    answer: 'application/octet-stream',
    handle: async ({ workplace, params, query, busy, signal }) => {
      const { id } = await workplace.org(params.org);
      return {
        content: holding(readFileContent(workplace, id, query.path, signal), takeDownload(busy, { org: id })),
        fileName: query.path.slice(query.path.lastIndexOf('/') + 1),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/files/requeue',
    summary: 'Import a stored file again',
    right: 'operate',
    params: orgParams,
    body: z.strictObject({ path }),
    answer: z.strictObject({ upload: count, path: z.string(), repeats: count.nullable() }),
    handle: ({ workplace, params, body }) => requeueStoredFile(workplace, params.org, body.path),
  }),
];
