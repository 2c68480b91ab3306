/** Classifies the errors of the S3 client: which of them pass, and which sentence tells an operator what to do. */
import { StoreError, type StoreErrorCode } from '../blobstore.js';

export interface Fault {
  code: StoreErrorCode;
  /** Whether the same request may succeed in a moment. */
  isPassing: boolean;
  reason: string;
  /** Another request on the same object was in the way of a condition. */
  isConflict?: boolean;
}

interface ClientError {
  name?: string;
  message?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

const missing = new Set(['NoSuchKey', 'NotFound']);
const denied = new Set([
  'AccessDenied',
  'AllAccessDisabled',
  'CredentialsProviderError',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
]);
/** 409. Amazon asks to repeat a PutObject after it, and to send a file in parts again from its start. */
const conflict = 'ConditionalRequestConflict';
/** Answers with other statuses than 5xx that pass too. */
const passing = new Set([
  'ExpiredToken',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
]);
const advice: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket: make it, or correct the setting blobs',
  PermanentRedirect: 'the bucket is in another region: correct the setting blobRegion',
  AuthorizationHeaderMalformed: 'the bucket is in another region: correct the setting blobRegion',
};

export function classify(error: unknown): Fault {
  if (error instanceof StoreError) return { code: error.code, isPassing: false, reason: error.message };
  const { name = '', message = '', code = '', $metadata } = error as ClientError;
  const status = $metadata?.httpStatusCode;
  // An answer to a HEAD has no body, and so no name.
  const words = name === 'Unknown' || message === 'UnknownError' ? ['status', status] : [name, status, message];
  const told = words.filter((part) => part !== '' && part !== undefined).join(' ');
  if (missing.has(name)) return { code: 'ENOENT', isPassing: false, reason: 'there is no such object' };
  if (status === 412) return { code: 'changed', isPassing: false, reason: told };
  if (status === 501) return { code: 'unsupported', isPassing: false, reason: told };
  if (name === conflict) return { code: 'unavailable', isPassing: true, reason: told, isConflict: true };
  if (passing.has(name)) return { code: 'unavailable', isPassing: true, reason: told };
  if (denied.has(name) || status === 401 || status === 403)
    return {
      code: 'denied',
      isPassing: false,
      reason: `it does not accept the credentials (${told}): check blobAccessKey and blobSecretKey, or the variables of the client, and what they may do in the bucket`,
    };
  if (status === 408 || status === 429 || (status !== undefined && status >= 500))
    return { code: 'unavailable', isPassing: true, reason: told };
  if (status !== undefined && status >= 300)
    return { code: 'unusable', isPassing: false, reason: advice[name] ?? told };
  // A fault of this program, or an answer that makes no sense.
  if (error instanceof TypeError || error instanceof RangeError)
    return { code: 'unusable', isPassing: false, reason: told };
  // No answer: refused, reset, timed out, a name that does not resolve, a body that ended early.
  return { code: 'unavailable', isPassing: true, reason: code === '' ? told : `${code} ${message}` };
}
