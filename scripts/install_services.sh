#!/usr/bin/env bash
# Makes sure that the tests find PostgreSQL, Redis, nginx and exiftool: installed, or through apt. They start
# servers of their own; a server that this script installs is neither started now nor at the next boot.
set -eu
PATH="$PATH:/usr/sbin:/sbin"
missing=""
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && ! command -v initdb >/dev/null; then
  missing="$missing postgresql"
fi
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v nginx >/dev/null || missing="$missing nginx"
command -v exiftool >/dev/null || missing="$missing libimage-exiftool-perl"
if [ -z "$missing" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
  echo "The tests need PostgreSQL, Redis, nginx and exiftool. Install these, then run this again:$missing" >&2
  exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
  as_root="sudo -n"
  if ! sudo -n true 2>/dev/null; then
    echo "The tests need PostgreSQL, Redis, nginx and exiftool. Run: sudo apt-get install$missing" >&2
    exit 1
  fi
fi
echo "Installing through apt:$missing"
exec 9<"$(dirname "$0")"
flock 9 # one apt at a time
# Debian starts what it installs, unless this file forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086  # one word for each package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
for service in $missing; do
  if command -v systemctl >/dev/null; then
    $as_root systemctl disable --quiet "$service" 2>/dev/null || true
  else
    $as_root update-rc.d "$service" disable 2>/dev/null || true
  fi
done
