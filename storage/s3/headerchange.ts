/**
 * Gives an object a new header. A small one is written anew; of a large one only the first bytes are, and the store copies the
 * rest by itself, so that a rotation of keys moves no payload through this machine. The old object is there until the new one is.
 */
import { StoreError } from '../blobstore.js';
import type { S3Requests } from './requests.js';
import { digestOf } from './shipment.js';

/** Up to this size an object is written anew; of a larger one so much is sent again, since a part has 5 MiB at least. */
const firstBytes = 8 * 1024 * 1024;
const wholeBytes = 2 * firstBytes;
/** The most that a store must copy with one request. */
const copyBytes = 1024 ** 3;

interface Found {
  size: number;
  etag: string | undefined;
}

/**
 * @param old the header that the object has, as the caller read it
 * @throws StoreError `changed` when the object has another one, or was changed meanwhile; `ENOENT`
 */
export async function replaceHeader(requests: S3Requests, key: string, old: Buffer, header: Buffer): Promise<void> {
  const place = { Bucket: requests.bucket, Key: key };
  const found = await look(requests, key);
  const isWhole = found.size <= wholeBytes;
  const read = await readRange(requests, key, isWhole ? found.size : firstBytes, found);
  // Of another length, it would leave its end before the payload.
  if (!read.subarray(0, old.length).equals(old))
    throw new StoreError('changed', `${requests.name}: ${key} has got another header meanwhile`);
  const start = Buffer.concat([header, read.subarray(old.length)]);
  if (isWhole) {
    const object = { ...place, Body: start, ContentMD5: digestOf(start) };
    await requests.run((s3, attempt) => s3.putObject(object, attempt), { bytes: start.length });
  } else {
    await writeParts(requests, key, start, found);
  }
  const { size } = await look(requests, key);
  const expected = found.size - old.length + header.length;
  if (size !== expected)
    throw new StoreError('changed', `${requests.name}: ${key} has ${size} bytes instead of ${expected}`);
}

async function look(requests: S3Requests, Key: string): Promise<Found> {
  return requests.run(async (s3, attempt) => {
    const { ContentLength = 0, ETag } = await s3.headObject({ Bucket: requests.bucket, Key }, attempt);
    return { size: ContentLength, etag: ETag };
  });
}

/** Two rotations at once would give the object two headers. */
async function requireSame(requests: S3Requests, key: string, { etag }: Found): Promise<void> {
  if ((await look(requests, key)).etag !== etag)
    throw new StoreError('changed', `${requests.name}: ${key} was changed meanwhile`);
}

/** From the start. */
async function readRange(requests: S3Requests, Key: string, end: number, { etag }: Found) {
  const condition = etag === undefined ? {} : { IfMatch: etag };
  const range = { Bucket: requests.bucket, Key, Range: `bytes=0-${end - 1}`, ...condition };
  return requests.run(
    async (s3, attempt) => {
      const bytes = Buffer.from(await (await s3.getObject(range, attempt)).Body!.transformToByteArray());
      if (bytes.length !== end) throw new Error('the answer ended early');
      return bytes;
    },
    { bytes: end, isRead: true },
  );
}

async function writeParts(requests: S3Requests, key: string, start: Buffer, found: Found): Promise<void> {
  const { size } = found;
  const place = { Bucket: requests.bucket, Key: key };
  const UploadId = await requests.run(
    async (s3, attempt) => (await s3.createMultipartUpload(place, attempt)).UploadId!,
  );
  const upload = { ...place, UploadId };
  try {
    const first = { ...upload, PartNumber: 1, Body: start, ContentMD5: digestOf(start) };
    const { ETag } = await requests.run((s3, attempt) => s3.uploadPart(first, attempt), { bytes: start.length });
    const Parts = [{ PartNumber: 1, ETag: ETag! }];
    for (let at = firstBytes; at < size; at += copyBytes) {
      const PartNumber = Parts.length + 1;
      const copy = {
        ...{ ...upload, PartNumber, CopySource: encodeURI(`${requests.bucket}/${key}`) },
        CopySourceRange: `bytes=${at}-${Math.min(size, at + copyBytes) - 1}`,
      };
      // No condition on the source: Swift knows an object of parts by another tag here than everywhere else.
      const copied = await requests.run((s3, attempt) => s3.uploadPartCopy(copy, attempt), { bytes: copyBytes });
      Parts.push({ PartNumber, ETag: copied.CopyPartResult!.ETag! });
    }
    await requireSame(requests, key, found);
    const complete = { ...upload, MultipartUpload: { Parts } };
    await requests.run((s3, attempt) => s3.completeMultipartUpload(complete, attempt));
  } catch (error) {
    await requests.run((s3, attempt) => s3.abortMultipartUpload(upload, attempt), { retryMs: 0 }).catch(() => {});
    throw error;
  }
}
