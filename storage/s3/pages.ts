/** Reads a listing of the object store page by page. */
import { isDeepStrictEqual } from 'node:util';
import type { _Object, S3 } from '@aws-sdk/client-s3';
import { type Look, StoreError } from '../blobstore.js';
import type { Attempt, S3Requests } from './requests.js';

/**
 * @param read one page, from the place that `next` named; {}: the first one
 * @param next null: the page does not name it
 * @throws StoreError also when a page is not the last one, and the place of the next one is missing or the same: its end would look like that of the listing
 */
export async function* readPages<Page extends { IsTruncated?: boolean | undefined }>(
  requests: S3Requests,
  read: (s3: S3, after: object, attempt: Attempt) => Promise<Page>,
  next: (page: Page) => object | null,
  look: Look = {},
): AsyncGenerator<Page, void, void> {
  for (let after: object = {}; ; ) {
    const from = after;
    const page = await requests.run((s3, attempt) => read(s3, from, attempt), look);
    yield page;
    if (page.IsTruncated !== true) return;
    const following = next(page);
    if (following === null || isDeepStrictEqual(following, from))
      throw new StoreError('unusable', `${requests.name}: a page of a listing does not say where the next one begins`);
    after = following;
  }
}

/** The objects whose keys begin so. */
export async function* listObjects(requests: S3Requests, Prefix: string): AsyncGenerator<_Object, void, void> {
  const place = { Bucket: requests.bucket, Prefix };
  const pages = readPages(
    requests,
    (s3, after, attempt) => s3.listObjectsV2({ ...place, ...after }, attempt),
    ({ NextContinuationToken: next }) => (next === undefined ? null : { ContinuationToken: next }),
  );
  for await (const { Contents = [] } of pages) yield* Contents;
}
