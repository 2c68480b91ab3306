/** Classifies the errors of the S3 client: which of them pass, and which sentence tells an operator what to do. */
import { StoreError, type StoreErrorCode } from '../blobstore.js';

export interface Fault {
  code: StoreErrorCode;
  /** Whether the same request may succeed in a moment. */
  isPassing: boolean;
  reason: string;
  /** Another request on the same object was in the way of a condition. */
  isConflict?: boolean;
  /** It does not accept the credentials: it may accept newer ones. */
  isRefusal?: boolean;
}

interface ClientError {
  name?: string;
  message?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number; clockSkewCorrected?: boolean };
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
const skewed =
  'the clock of this machine differs too much from that of the store: set it, best by NTP; until then the client goes by the clock of the store';
const advice: Readonly<Record<string, string>> = {
  ExpiredToken:
    'the credentials have expired: renew those that blobAccessKey and blobSecretKey name, or that the client finds by itself',
  RequestTimeTooSkewed: skewed,
  TemporaryRedirect: 'the bucket is in another region: correct the setting blobRegion',
  NoSuchBucket: 'there is no such bucket: make it, or correct the setting blobs',
  PermanentRedirect: 'the bucket is in another region: correct the setting blobRegion',
  AuthorizationHeaderMalformed: 'the bucket is in another region: correct the setting blobRegion',
};

export function classify(error: unknown): Fault {
  if (error instanceof StoreError) return { code: error.code, isPassing: false, reason: error.message };
  const { name = '', message = '', code = '', $metadata } = error as ClientError;
  const status = $metadata?.httpStatusCode;
  const words = isNameless(error) ? ['status', status] : [name, status, message];
  const told = words.filter((part) => part !== '' && part !== undefined).join(' ');
  if (missing.has(name)) return { code: 'ENOENT', isPassing: false, reason: 'there is no such object' };
  if (status === 412) return { code: 'changed', isPassing: false, reason: told };
  if (status === 501) return { code: 'unsupported', isPassing: false, reason: told };
  if (name === conflict) return { code: 'unavailable', isPassing: true, reason: told, isConflict: true };
  if (passing.has(name))
    return {
      code: 'unavailable',
      isPassing: true,
      reason: advice[name] ?? told,
      ...(name === 'ExpiredToken' && { isRefusal: true }),
    };
  if (isNameless(error) && $metadata?.clockSkewCorrected === true)
    return { code: 'unavailable', isPassing: true, reason: skewed };
  if (denied.has(name) || status === 401 || status === 403)
    return {
      code: 'denied',
      isPassing: false,
      isRefusal: true,
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

/** An answer to a HEAD has no body, and so no name. */
export function isNameless(error: unknown): boolean {
  const { name, message } = error as ClientError;
  return name === 'Unknown' || message === 'UnknownError';
}

/** A refusal, or a redirection, that does not say why. */
export function isUnexplained(error: unknown): boolean {
  const status = (error as ClientError).$metadata?.httpStatusCode ?? 0;
  return isNameless(error) && status >= 300 && status <= 403;
}

/** Whether the store has answered, and with a name. */
export function isNamed(error: unknown): boolean {
  return (error as ClientError).$metadata?.httpStatusCode !== undefined && !isNameless(error);
}
