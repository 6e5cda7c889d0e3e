#!/usr/bin/env bash
# Lets a real browser use the widget: every promise of tests/browser, against a running widgetd.
#
#   scripts/browser.sh                           all of them, in some minutes
#   scripts/browser.sh tests/browser/chat.test.mjs --test-name-pattern=Stop
#   scripts/browser.sh install                   only installs what they need
#
# Needs Node.js 20 with npm, and Debian's chromium with fonts-liberation and fonts-noto-color-emoji: what is missing of these
# is installed by apt-get if this runs as root on Debian or Ubuntu; else it says what to install. The npm packages that are
# named in tests/browser go there, and the bundler of the widget into src/widget. A test that failed leaves a picture in target/browser.
#
# Environment:
#   WIDGETD   the binary to test  (default: target/release/widgetd, built if it is missing)
#   CHROMIUM  the browser         (default: /usr/bin/chromium)
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$project"
CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
WIDGETD=$(realpath --canonicalize-missing "${WIDGETD:-${CARGO_TARGET_DIR:-target}/release/widgetd}")
export CHROMIUM WIDGETD

missing_packages() {
    [ -x "$CHROMIUM" ] || printf 'chromium\n'
    # Without them a page has no letters, or boxes for some.
    [ -d /usr/share/fonts/truetype/liberation ] || printf 'fonts-liberation\n'
    [ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || printf 'fonts-noto-color-emoji\n'
    command -v node >/dev/null || printf 'nodejs\n'
    command -v npm >/dev/null || printf 'npm\n'
}

install_missing() {
    local packages
    mapfile -t packages < <(missing_packages)
    ((${#packages[@]} > 0)) || return 0
    printf 'missing: %s\n' "${packages[*]}"
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        printf 'Install these and run this again.\n' >&2
        return 1
    fi
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" >/dev/null
}

# npm_packages FOLDER: as its package-lock.json names them, once.
npm_packages() {
    if [ ! -e "$1/node_modules/.package-lock.json" ] || [ "$1/package-lock.json" -nt "$1/node_modules/.package-lock.json" ]; then
        (cd "$1" && npm ci --silent --no-audit --no-fund)
    fi
}

install_missing
npm_packages tests/browser
npm_packages src/widget
[ "${1:-}" != install ] || exit 0
if [ ! -x "$WIDGETD" ]; then
    cargo build --release --locked
fi
"$CHROMIUM" --version 2>/dev/null
if (($# > 0)); then
    exec node --test --test-concurrency=1 "$@"
fi
# Two at a time: they wait for the browser, and it for them. The one that measures comes last, by itself.
files=()
for file in tests/browser/*.test.mjs; do
    [ "$file" = tests/browser/speed.test.mjs ] || files+=("$file")
done
node --test --test-concurrency=2 "${files[@]}"
exec node --test tests/browser/speed.test.mjs
