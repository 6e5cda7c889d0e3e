#!/bin/sh
# Installs widgetd as a service of systemd, or upgrades it; run as root from the unpacked release, or from a source tree
# after a release build:
#
#   sh install.sh                installs, or upgrades what is there
#   sh install.sh --uninstall    takes program and service away; configuration and data stay
#
# Puts into place: /usr/local/bin/widgetd, the user widgetd, /etc/widgetd with the file env for keys (if it is missing),
# /var/lib/widgetd, the units in /etc/systemd/system, and manual pages and completions if they are in the release.
# Nothing is started the first time: it says what to do next, first `widgetd init`, which writes /etc/widgetd/widget.toml.
#
# An upgrade first lets the new version check the configuration that is there, and changes nothing if that fails. It keeps the
# program it replaces as /usr/local/bin/widgetd.previous, and restarts the service only if it runs.
#
# With DESTDIR=FOLDER in the environment it puts the files under FOLDER, for those who make packages: it needs no root, makes
# no user, asks no systemd.
#
# Exits with 0 if all was done, 1 if not, 2 if it was called in a way that it does not know.
set -eu
umask 022

here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
bin=$root/usr/local/bin
share=$root/usr/local/share
etc=$root/etc/widgetd
units=$root/etc/systemd/system
data=$root/var/lib/widgetd
program=$bin/widgetd

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
# Whether files only are to be put somewhere.
is_staged() { [ -n "$root" ]; }

# Looks at the machine before anything is changed.
check_machine() {
    [ "$(uname -s)" = Linux ] || fail "widgetd runs on Linux; this is $(uname -s)"
    is_staged && return
    [ "$(id -u)" = 0 ] || fail "run this as root"
    [ -d /run/systemd/system ] ||
        fail 'this machine was not started by systemd: copy widgetd to where you want it, and have your own supervisor run "widgetd serve --config FILE"'
}

# A service that somebody set up by hand has its configuration elsewhere: it must not be replaced by one that has none.
check_service() {
    [ ! -f "$units/widgetd.service" ] || [ -e "$etc/widget.toml" ] ||
        grep -q -e '--config /etc/widgetd/widget\.toml' "$units/widgetd.service" ||
        fail "there is a widgetd.service, and no $etc/widget.toml: move your widget.toml (and the file with the keys, as $etc/env) there first, see CHANGELOG.md"
}

# The release's own program, or what was built here.
find_program() {
    for new in "$here/widgetd" "$here/../target/x86_64-unknown-linux-gnu/release/widgetd" "$here/../target/release/widgetd"; do
        [ -f "$new" ] && break
    done
    [ -f "$new" ] || fail "there is no widgetd beside this script: unpack the whole release, or build it (cargo build --release)"
    new_version=$("$new" --version 2>&1) ||
        fail "$new does not run on this machine, which is $(uname -m): $new_version"
}

# own MODE OWNER FILE: as root makes it that user's; an owner is user:group.
own() {
    chmod "$1" "$3"
    is_staged || chown "$2" "$3"
}

make_user() {
    is_staged && return
    id widgetd >/dev/null 2>&1 && return
    command -v useradd >/dev/null || fail 'there is no useradd: make a system user and group widgetd, and run this again'
    useradd --system --user-group --home-dir /var/lib/widgetd --no-create-home --shell /usr/sbin/nologin widgetd
    say 'made the user widgetd'
}

make_folders() {
    mkdir -p "$bin" "$units" "$etc" "$data"
    own 750 root:widgetd "$etc"
    own 700 widgetd:widgetd "$data"
}

# What is there stays as it is.
configure() {
    [ ! -e "$etc/env" ] || return 0
    (umask 077 && cat >"$etc/env") <<'ENV'
# Variables of the service widgetd, one NAME=value a line. systemd reads them when the service starts; only root can read this file.
# Here belong the keys that widget.toml names, in key_env and secret_env. Put 'quotes' around a value that has more than letters,
# digits and -_.: in it, for a shell reads this too, before `widgetd check`.
#
# OPENAI_API_KEY=sk-…
# WEBHOOK_SECRET=…
ENV
    own 600 root:root "$etc/env"
    say "made $etc/env, for keys"
}

# The new version, as the service will be: the same user, the same variables.
check_configuration() {
    is_staged && return
    if [ ! -e "$etc/widget.toml" ]; then
        # The first time it is not there yet.
        systemctl --quiet is-active widgetd.service || return 0
        rm -f "$bin/.widgetd.new"
        fail "the service runs, and its $etc/widget.toml is gone. Nothing was replaced: put it back and run this again"
    fi
    systemd-run --quiet --pipe --wait --collect --property=User=widgetd --property=Group=widgetd \
        --property=EnvironmentFile=-/etc/widgetd/env "$bin/.widgetd.new" check --config /etc/widgetd/widget.toml \
        </dev/null >/dev/null && return
    rm -f "$bin/.widgetd.new"
    fail "$new_version does not take /etc/widgetd/widget.toml, for the reasons above. Nothing was replaced: mend them and run this again"
}

# put_program: into a new file that takes the old one's name at once, so that a running program is never written to.
put_program() {
    cp "$new" "$bin/.widgetd.new"
    own 755 root:root "$bin/.widgetd.new"
    old_version=
    if [ -f "$program" ]; then
        old_version=$("$program" --version 2>/dev/null) || old_version='one that does not run'
    fi
    check_configuration
    if [ -f "$program" ] && ! cmp -s "$program" "$new"; then
        ln -f "$program" "$bin/.widgetd.previous"
        mv -f "$bin/.widgetd.previous" "$bin/widgetd.previous"
    fi
    mv -f "$bin/.widgetd.new" "$program"
}

# put MODE FILE FOLDER [NAME]
put() {
    mkdir -p "$3"
    target=$3/${4:-$(basename "$2")}
    cp "$2" "$target.new"
    own "$1" root:root "$target.new"
    mv -f "$target.new" "$target"
}

# completion FILE FOLDER NAME
completion() {
    [ -f "$here/completions/$1" ] || return 0
    put 644 "$here/completions/$1" "$share/$2" "$3"
}

put_the_rest() {
    for unit in "$here"/deploy/widgetd*.service "$here"/deploy/widgetd*.timer; do
        [ -f "$unit" ] || continue
        put 644 "$unit" "$units"
    done
    for page in "$here"/man/*.1; do
        [ -f "$page" ] || continue
        put 644 "$page" "$share/man/man1"
    done
    completion widgetd.bash bash-completion/completions widgetd
    completion _widgetd zsh/site-functions _widgetd
    completion widgetd.fish fish/vendor_completions.d widgetd.fish
    is_staged || systemctl daemon-reload
}

# How to get back to what ran before.
how_to_go_back() {
    say "To go back: mv $bin/widgetd.previous $program && systemctl restart widgetd"
    say "If it changed the tables, there is a $data/widgetd.db.before-N, and the older one wants that back:"
    say "  systemctl stop widgetd; mv $bin/widgetd.previous $program"
    say "  runuser -u widgetd -- widgetd restore $data/widgetd.db.before-N && systemctl start widgetd"
}

restart() {
    is_staged && return
    systemctl --quiet is-active widgetd.service || return 0
    if systemctl restart widgetd.service; then
        say 'restarted the service'
    else
        journalctl --unit=widgetd.service --lines=20 --no-pager >&2 || true
        [ ! -f "$bin/widgetd.previous" ] || how_to_go_back >&2
        fail 'the new version does not start'
    fi
}

next_steps() {
    timer=
    [ ! -f "$units/widgetd-backup.timer" ] || timer=' widgetd-backup.timer'
    say ''
    say 'Next, as root:'
    [ -e "$etc/widget.toml" ] || say '  # write /etc/widgetd/widget.toml, from answers
  widgetd init'
    cat <<NEXT
  # put the keys that it names into /etc/widgetd/env, as NAME=value, then look both through
  (set -a; . /etc/widgetd/env; runuser -u widgetd -- widgetd check)
  # start it, and a backup each night
  systemctl enable --now widgetd$timer
  # switch the owner's page at /admin on
  runuser -u widgetd -- widgetd admin set-password
NEXT
}

install_or_upgrade() {
    check_machine
    check_service
    find_program
    make_user
    make_folders
    configure
    put_program
    put_the_rest
    restart
    case $old_version in
        '') say "installed $new_version" ;;
        "$new_version") say "installed $new_version again" ;;
        *)
            say "upgraded $old_version to $new_version"
            how_to_go_back
            ;;
    esac
    if [ -z "$old_version" ] || [ ! -e "$etc/widget.toml" ]; then
        next_steps
    fi
}

uninstall() {
    check_machine
    if ! is_staged; then
        for unit in "$units"/widgetd.service "$units"/widgetd*.timer; do
            [ ! -f "$unit" ] || systemctl --quiet disable --now "$(basename "$unit")"
        done
    fi
    rm -f "$units"/widgetd.service "$units"/widgetd-backup.service "$units"/widgetd-backup.timer \
        "$program" "$bin/widgetd.previous" "$share"/man/man1/widgetd.1 "$share"/man/man1/widgetd-*.1 \
        "$share/bash-completion/completions/widgetd" "$share/zsh/site-functions/_widgetd" \
        "$share/fish/vendor_completions.d/widgetd.fish"
    is_staged || systemctl daemon-reload
    say "took widgetd away. These are still there, with all that was said and left:"
    say "  $etc (configuration and keys), $data (the database), backups in /var/backups/widgetd if there are any,"
    say '  and the user widgetd'
    say "To remove them too: rm -r $etc $data && userdel widgetd"
}

case "$#:${1:-}" in
    0:) install_or_upgrade ;;
    1:--uninstall) uninstall ;;
    1:--help | 1:-h) say 'usage: sh install.sh [--uninstall]' ;;
    *)
        printf 'usage: sh install.sh [--uninstall]\n' >&2
        exit 2
        ;;
esac
