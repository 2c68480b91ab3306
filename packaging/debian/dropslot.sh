#!/bin/sh
# The command of the package: with the settings of /etc/dropslot, and as the user who owns the data.
set -e
home=/usr/lib/dropslot
config=/etc/dropslot/dropslot.json
chosen=${DROPSLOT_DATA:-}
for word in "$@"; do
    case $word in --config | --config=* | --data | --data=*) chosen=yes ;; esac
done
# Options of every command may stand before it.
command=help
for word in "$@"; do
    case $word in --json | --wide) ;; *) command=$word && break ;; esac
done
case $command in
    -* | help | completion) needs_data='' ;;
    *) needs_data=yes ;;
esac
if [ -z "$chosen" ] && [ -n "$needs_data" ]; then
    if [ "$(id -u)" = 0 ]; then
        # A file that root made in the data folder would be closed to the server.
        export HOME=/var/lib/dropslot
        exec setpriv --reuid=dropslot --regid=dropslot --init-groups \
            "$home/bin/node" "$home/dist/app/main.js" --config "$config" "$@"
    elif [ ! -r "$config" ]; then
        echo "dropslot: only root and the user dropslot may use /var/lib/dropslot: run it with sudo" >&2
        exit 4
    fi
    set -- --config "$config" "$@"
fi
exec "$home/bin/node" "$home/dist/app/main.js" "$@"
