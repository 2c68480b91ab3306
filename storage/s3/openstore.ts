/** The object store that the settings name. */
import { isInstalled } from '../../config/environment.js';
import { findSecret, readSecret, toSecretText } from '../../config/secretsource.js';
import { type Settings, storeForm } from '../../config/settings.js';
import { type BlobStore, StoreError } from '../blobstore.js';
import type { AccessKey } from './accesskeys.js';
import { ObjectStore } from './objectstore.js';
import { missingPackage, packageName } from './requests.js';

export type StoreSettings = Pick<
  Settings,
  | 'blobs'
  | 'blobEndpoint'
  | 'blobRegion'
  | 'blobPathStyle'
  | 'blobAccessKey'
  | 'blobSecretKey'
  | 'blobPartBytes'
  | 'blobRetrySeconds'
  | 'credentials'
>;

/** Sends no request. `hasPackage`: for tests. undefined: the sealed files are in the data folder. @throws StoreError when the client is not installed */
export function openStore(
  settings: StoreSettings,
  hasPackage: (name: string) => boolean = isInstalled,
): BlobStore | undefined {
  const [name, bucket, folder = ''] = storeForm.exec(settings.blobs) ?? [];
  if (name === undefined) return undefined;
  if (!hasPackage(packageName)) throw new StoreError('unusable', missingPackage(name));
  const { blobEndpoint: endpoint, blobRegion: region, blobPathStyle: style } = settings;
  const place = {
    name,
    bucket: bucket!,
    prefix: folder === '' ? '' : `${folder.slice(1)}/`,
    endpoint,
    region,
    isPathStyle: style === 'auto' ? endpoint !== undefined : style === 'on',
    readCredentials: settings.blobAccessKey === undefined ? undefined : () => readCredentials(settings),
    retryMs: settings.blobRetrySeconds * 1000,
  };
  return ObjectStore.open(place, settings.blobPartBytes);
}

async function readCredentials(settings: StoreSettings): Promise<AccessKey> {
  return {
    accessKeyId: await readKey('blobAccessKey', settings),
    secretAccessKey: await readKey('blobSecretKey', settings),
  };
}

async function readKey(name: 'blobAccessKey' | 'blobSecretKey', settings: StoreSettings): Promise<string> {
  const bytes = await readSecret(findSecret(settings[name]!, settings.credentials)).catch((cause: Error) => {
    throw new StoreError('denied', `setting ${name}: ${cause.message}`, { cause });
  });
  if (bytes === null) throw new StoreError('denied', `setting ${name}: there is no file ${settings[name]}`);
  return toSecretText(bytes).trim();
}
