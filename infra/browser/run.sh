#!/bin/sh
# Drives the phone page of a running Clivy in headless Chromium, and takes its pictures.
# usage: run.sh BASE_URL [OUTPUT_FOLDER] [NAME_DESKTOP NAME_MOBILE]     e.g. run.sh http://127.0.0.1:8070 docs
# Needs node, npm and Debian's chromium (package chromium); CHROMIUM names another one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
url=${1:?the base URL of a running Clivy}
out=${2:-docs}
desktop=${3:-phone-desktop.png}
mobile=${4:-phone-mobile.png}
for needed in node npm "${CHROMIUM:-/usr/bin/chromium}"; do
  command -v "$needed" >/dev/null || { echo "missing: $needed" >&2; exit 1; }
done
mkdir -p "$out"
npm --prefix "$here" ci --no-audit --no-fund --silent
node --test "$here/pages.test.mjs"
exec node "$here/phone.mjs" "$url" "$out" "$desktop" "$mobile"
