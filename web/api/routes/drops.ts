/** Routes of uploads: a file whole or in ranges, how much of it is kept, and its end. */
import { z } from 'zod';
import { DropError, type DropErrorCode } from '../../../operations/drops/error.js';
import { readDigest, readRange, writeDigest } from '../../../operations/drops/range.js';
import { isoTime } from '../../../operations/format.js';
import { count, maybeTime, orgParams, streamBody } from '../forms.js';
import { ApiError, type ProblemCode } from '../problem.js';
import { Reply, type Route, route } from '../route.js';

const dropParams = orgParams.extend({ name: z.string().min(1).max(8_000) });

const state = z.strictObject({
  path: z.string(),
  complete: z.boolean(),
  /** Bytes that are kept: where the next range begins. */
  offset: count,
  sha256: z.string().nullable(),
  state: z.string().nullable(),
  createdAt: maybeTime,
});

const received = z.union([
  z.strictObject({
    complete: z.literal(true),
    upload: count,
    path: z.string(),
    size: count,
    sha256: z.string(),
    /** false: its name is a temporary one or none of a file to import, or it is a dry run. */
    queued: z.boolean(),
    /** Who brought it, as the queue and the audit trail name it. */
    door: z.string(),
  }),
  z.strictObject({ complete: z.literal(false), path: z.string(), offset: count }),
]);

const header = z.string().max(1_000).optional();

/** The codes that HTTP has other words for. */
const codes: Partial<Record<DropErrorCode, ProblemCode>> = { exists: 'changed', cut_off: 'usage' };

async function asProblem<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DropError)) throw error;
    const { code, message, offset } = error;
    const headers: Record<string, string> = {};
    if (offset !== null) headers['upload-offset'] = String(offset);
    if (code === 'too_many') headers['retry-after'] = '5';
    throw new ApiError(codes[code] ?? (code as ProblemCode), message, undefined, headers);
  }
}

export const dropRoutes: readonly Route[] = [
  route({
    method: 'PUT',
    path: '/orgs/{org}/drops/{name}',
    summary: 'Upload a file as an SFTP client would, whole (201) or in ranges (202, and 201 for the last one)',
    right: 'upload',
    params: dropParams,
    headers: z.strictObject({
      'content-range': header,
      'repr-digest': header,
      'content-length': z
        .string()
        .regex(/^\d{1,15}$/)
        .optional(),
      'content-encoding': z.literal('identity').optional(),
      'if-none-match': z.literal('*').optional(),
    }),
    body: streamBody,
    answer: received,
    status: 201,
    handle: ({ workplace, token, address, drops, params, body, headers }) =>
      asProblem(async () => {
        const length = headers['content-length'];
        const outcome = await drops.receive(workplace, {
          ...{ org: params.org, name: params.name, token, address, bytes: body },
          range: readRange(headers['content-range']),
          length: length === undefined ? null : Number(length),
          sha256: readDigest(headers['repr-digest']),
          exclusive: headers['if-none-match'] === '*',
        });
        if (!('uploadId' in outcome)) {
          const { path, offset } = outcome;
          return new Reply({ complete: false, path, offset }, progressOf(false, offset), 202);
        }
        const { uploadId: upload, path, size, sha256, queued, door } = outcome;
        const value = { complete: true, upload, path, size, sha256, queued, door };
        return new Reply(value, { ...progressOf(true, size), 'repr-digest': writeDigest(sha256) });
      }),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/drops/{name}',
    summary: 'How much of an upload is kept, also by HEAD; ends an upload of the same file that is under way',
    right: 'upload',
    params: dropParams,
    answer: state,
    handle: ({ workplace, drops, params }) =>
      asProblem(async () => {
        const found = await drops.find(workplace, params.org, params.name);
        const digest: Record<string, string> =
          found.sha256 === null ? {} : { 'repr-digest': writeDigest(found.sha256) };
        const value = { ...found, createdAt: isoTime(found.createdAt) };
        return new Reply(value, { ...progressOf(found.complete, found.offset), ...digest });
      }),
  }),
  route({
    method: 'DELETE',
    path: '/orgs/{org}/drops/{name}',
    summary: 'Forget the kept bytes of an upload that is not complete',
    right: 'upload',
    params: dropParams,
    answer: z.strictObject({ path: z.string(), discarded: count }),
    handle: ({ workplace, drops, params }) => asProblem(() => drops.discard(workplace, params.org, params.name)),
  }),
];

/** Headers of the IETF draft "Resumable Uploads for HTTP"; the ranges themselves are those of RFC 9110. */
function progressOf(complete: boolean, offset: number): Record<string, string> {
  return { 'upload-complete': complete ? '?1' : '?0', 'upload-offset': String(offset) };
}
