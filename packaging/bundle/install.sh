#!/bin/sh
# Installs Dropslot from this folder, without any network: ./install.sh [--prefix /opt/dropslot] [--link /usr/local/bin]
set -eu
prefix=/opt/dropslot
link=/usr/local/bin
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) prefix=$2 && shift 2 ;;
        --link) link=$2 && shift 2 ;;
        *) echo "usage: ./install.sh [--prefix FOLDER] [--link FOLDER]" >&2 && exit 2 ;;
    esac
done
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
sha256sum --quiet --check SHA256SUMS || { echo "install.sh: a file differs from SHA256SUMS; nothing was installed" >&2 && exit 1; }
./program/bin/node -e 'require("./program/node_modules/sqlite3")' || {
    echo "install.sh: this bundle is for @PLATFORM@ with glibc @LIBC@ and the C++ library of GCC @LIBSTDCXX@, or later; this machine is $(uname -s) on $(uname -m); nothing was installed" >&2
    exit 1
}
version=$(./program/bin/node -p 'require("./program/package.json").version')
mkdir -p "$prefix" "$link"
# A whole version beside the old one: a server that runs keeps its files, until it is started again.
rm -rf "$prefix/$version.new"
cp -R program "$prefix/$version.new"
rm -rf "${prefix:?}/$version"
mv "$prefix/$version.new" "$prefix/$version"
cat >"$prefix/dropslot.new" <<END
#!/bin/sh
exec "$prefix/$version/bin/node" "$prefix/$version/dist/app/main.js" "\$@"
END
chmod 0755 "$prefix/dropslot.new"
mv -f "$prefix/dropslot.new" "$prefix/dropslot"
ln -sf "$prefix/dropslot" "$link/dropslot"
echo "Installed Dropslot $version in $prefix/$version; the command is $link/dropslot."
echo "Stop a running server and start it again, so that it uses this version. packaging/dropslot.service is a unit for systemd."
