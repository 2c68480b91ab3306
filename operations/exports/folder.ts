/** Writes exports into `/exports` of an organization's own tree: sealed first, and named once they are complete. */
import { listOwnFiles, replaceFile } from '../../db/control/checks.js';
import type { Org } from '../../db/control/orgs.js';
import { type OwnFileDeps, writeOwnFile } from '../../importer/report/ownfile.js';
import { removeBlob } from '../../storage/blobs.js';
import { joinPath } from '../../storage/path.js';
import type { ExportTarget } from './target.js';

/** @param folder below `/exports` */
export function openFolder(deps: OwnFileDeps, org: Org, folder: string): ExportTarget {
  const { control, paths, now } = deps;
  return {
    write: (name, pieces) => writeOwnFile(deps, org, joinPath(folder, name), pieces()),
    list: () => listOwnFiles(control.read, org.id, folder),
    remove: async (name) => {
      const path = joinPath(folder, name);
      const freed = await control.transact((tx) => replaceFile(tx, org.id, path, null, now()));
      for (const id of freed) await removeBlob(paths, id);
    },
    close: async () => {},
  };
}
