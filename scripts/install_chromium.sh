#!/usr/bin/env bash
# Makes sure that there is a Chromium for the browser tests: on the path, or through apt.
set -eu
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
if ! command -v apt-get >/dev/null; then
  echo "The browser tests need Chromium. Install it so that 'chromium' is on the path, then run this again." >&2
  exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
  as_root="sudo -n"
  if ! sudo -n true 2>/dev/null; then
    echo "The browser tests need Chromium. Run: sudo apt-get install chromium" >&2
    exit 1
  fi
fi
echo "Installing Chromium through apt."
exec 9<"$(dirname "$0")"
flock 9 # one apt at a time
$as_root apt-get update -qq 9>&-
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null 9>&-
