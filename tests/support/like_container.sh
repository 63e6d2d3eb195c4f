#!/bin/bash
# Run a command as a container would: another root, which is read-only, and no root's rights.
#   like_container.sh PROJECT DATA PREFIX BASE COMMAND …     environment: as it is given
# PROJECT comes to /srv/kyara, read-only; DATA to /data, writable; /tmp is empty. PREFIX and BASE, of
# Python, stay where they are. Must run in a mount namespace of its own: unshare --mount.
set -euo pipefail
project=$1 data=$2 prefix=$3 base=$4
shift 4
new=/mnt
mount -t tmpfs -o mode=755 none $new
show() {  # a folder at its own path, or at another, read-only
    local to="$new${2:-$1}"
    [ ! -d "$to" ] || [ "${2:-}" ] || [ "$1" = /dev ] || return 0
    mkdir -p "$to"
    mount --rbind "$1" "$to"
    mount -o remount,ro,bind "$to"
}
for folder in /usr /etc /dev; do show $folder; done
for name in bin sbin lib lib64; do
    if [ -L /$name ]; then ln -s "$(readlink /$name)" $new/$name; elif [ -d /$name ]; then show /$name; fi
done
mkdir $new/data $new/tmp $new/proc
mount -t tmpfs -o mode=1777 none $new/tmp  # before Python, which may lie below it
show "$base"
show "$prefix"
show "$project" /srv/kyara
mount --bind "$data" $new/data
mount -t proc none $new/proc 2>/dev/null || mount --rbind /proc $new/proc
mount -o remount,ro $new
exec chroot --userspec=10001:10001 --groups= $new /bin/sh -c 'cd /srv/kyara && exec "$@"' sh "$@"
