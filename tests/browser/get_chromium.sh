#!/usr/bin/env bash
# Makes sure that the browser tests have a Chromium and a font with Hangul: looks, and installs Debian's packages where
# we are root and apt-get is here, as in a CI container. Elsewhere one line says what to do.
set -euo pipefail
[ "${DOBAE_NO_BROWSER:-}" = 1 ] && exit 0

missing=()
[ -n "${DOBAE_CHROMIUM:-}" ] || command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null \
    || missing+=(chromium)
if command -v fc-list >/dev/null; then
    [ -n "$(fc-list :lang=ko)" ] || missing+=(fonts-nanum)
elif command -v apt-get >/dev/null; then
    missing+=(fontconfig fonts-nanum)
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    if { apt-get -qq update && apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1; then
        exit 0
    fi
fi
echo "browser tests need ${missing[*]}: run \`sudo apt-get install ${missing[*]}\`, name a browser in DOBAE_CHROMIUM," \
    "or set DOBAE_NO_BROWSER=1 to leave them out" >&2
exit 1
