/** Keeps the secrets of the master key for a command that opens its workplace several times: a descriptor or a person gives them once. */
import type { MasterSecrets } from '../keys/master/secrets.js';
import type { OpenWorkplace } from '../operations/workplace.js';

/** Opens as `open` does, each workplace after the first one with the secrets that one of the same sources has read. */
export function keepSecrets(open: OpenWorkplace): OpenWorkplace {
  const kept = new Map<string, MasterSecrets>();
  return async (settings, options = {}) => {
    const { data, masterKey, masterKeyPassphraseFile } = settings;
    const sources = JSON.stringify([data, masterKey, masterKeyPassphraseFile]);
    const known = options.known ?? kept.get(sources)?.known();
    const workplace = await open(settings, known === undefined ? options : { ...options, known });
    kept.set(sources, workplace.secrets);
    return workplace;
  };
}
