/** Small objects by which a process finds out what the store can do. One that is killed leaves its own. */
import { randomBytes } from 'node:crypto';
import { listObjects } from './pages.js';
import type { S3Requests } from './requests.js';

/** Under the prefix; no key of a blob begins so. */
const folder = 'probe/';

export function newProbeKey({ prefix }: S3Requests): string {
  return `${prefix}${folder}${randomBytes(8).toString('hex')}`;
}

/** @param before by the clock of the store, in ms. @throws StoreError */
export async function removeProbes(requests: S3Requests, before: number): Promise<void> {
  const { bucket: Bucket, prefix } = requests;
  for await (const { Key, LastModified } of listObjects(requests, `${prefix}${folder}`))
    if ((LastModified?.getTime() ?? 0) < before)
      await requests.run((s3, attempt) => s3.deleteObject({ Bucket, Key: Key! }, attempt));
}
