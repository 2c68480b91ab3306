#!/usr/bin/env bash
# Unpacks the OpenSSH clients of Debian 13, of its backports and of Debian's unstable suite, and Debian 13's PuTTY, with the
# libraries that they need, into a folder of their own: $1, else $TEST_CLIENTS, else a folder under the temporary one. The
# system and its lists of packages stay as they are. FOLDER/stable/{ssh,sftp,psftp,puttygen}, FOLDER/backports/{ssh,sftp} and
# FOLDER/unstable/{ssh,sftp} can be run then. Those that are there are left alone.
set -euo pipefail

folder=$(realpath -m "${1:-${TEST_CLIENTS:-${TMPDIR:-/tmp}/dropslot-clients}}")
# From where the machine itself gets its packages.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | awk '!/security/ && !uri { uri = $0 } END { print uri }')}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
libraries=(
  libc6 libedit2 libfido2-1 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libcom-err2 libkrb5support0 libkeyutils1 libselinux1
  libpcre2-8-0 libssl3t64 zlib1g libtinfo6 libbsd0 libmd0 libcbor0.10 libudev1 libcap2 libzstd1 libcrypt1 libgcc-s1
)
declare -A release=([stable]=trixie [backports]=trixie-backports [unstable]=sid)

is_there() { [ -x "$folder/stable/ssh" ] && [ -x "$folder/backports/ssh" ] && [ -x "$folder/unstable/ssh" ]; }

if is_there; then
  echo "$folder"
  exit 0
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/unpacking.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,etc}
: >"$work/status"
for suite in trixie trixie-backports sid; do
  echo "deb [signed-by=$keyring] $mirror $suite main"
done >"$work/etc/sources.list"
# The machine's own proxy settings hold; its sources, lists and state are not touched.
cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work";
APT::Sandbox::User "$(id -un)";
APT::Default-Release "trixie";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::Languages "none";
CONF
apt() { apt-get -qq -c "$work/apt.conf" "$@" >&2; }

apt update
for suite in stable backports unstable; do
  [ ! -x "$folder/$suite/ssh" ] || continue
  packages=("openssh-client/${release[$suite]}")
  [ "$suite" != stable ] || packages+=(putty-tools/trixie)
  # The libraries of unstable belong together; those of the backports are Debian 13's.
  libraries_of=trixie
  [ "$suite" != unstable ] || libraries_of=sid
  mkdir -p "$work/$suite/root" "$work/$suite/archives"
  (cd "$work/$suite/archives" && apt download "${packages[@]}" "${libraries[@]/%//$libraries_of}")
  for archive in "$work/$suite"/archives/*.deb; do
    dpkg -x "$archive" "$work/$suite/root"
  done
  rm -r "$work/$suite/archives"
  loader=$(cd "$work/$suite" && find root/usr/lib -name 'ld-linux*.so.*' | head -n 1)
  run="$folder/$suite/$loader --library-path $folder/$suite/$(dirname "$loader") $folder/$suite/root/usr/bin"
  for program in ssh psftp puttygen; do
    printf '#!/bin/sh\nexec %s/%s "$@"\n' "$run" "$program" >"$work/$suite/$program"
  done
  printf '#!/bin/sh\nexec %s/sftp -S %s/ssh "$@"\n' "$run" "$folder/$suite" >"$work/$suite/sftp"
  [ "$suite" = stable ] || rm "$work/$suite"/p*
  find "$work/$suite" -maxdepth 1 -type f -exec chmod +x {} +
  # Another run may have been quicker.
  [ -e "$folder/$suite" ] || mv "$work/$suite" "$folder/$suite"
  "$folder/$suite/ssh" -V >&2
done
echo "$folder"
