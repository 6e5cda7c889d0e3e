#!/usr/bin/env bash
# Installs, runs and upgrades a release on a machine with nothing but Debian, as an operator would, and says what happened.
#
#   scripts/drill.sh                        with the newest tarball in target/release-*, which it makes if there is none
#   scripts/drill.sh widgetd-….tar.gz       with that one
#   scripts/drill.sh --built                with target/release/widgetd as it is, if this is Debian 12 too
#   scripts/drill.sh install                only fetches what it needs
#
# The machine is Debian 12 of debootstrap's smallest kind with systemd and curl, booted by systemd-nspawn with a network of its own
# in which there is nobody else. In it, with the commands that install.sh and init print and the README has: install.sh, init,
# import-faq, keys, check, the start, the service's shutting-in, visitors, a site with mistakes, a scrape, a reload, a mistake, the
# watchdog, a kill, a backup, the loss of the database, its restoring, upgrades good and bad, the way back, and the end. What is
# done to the machine is gone afterwards.
#
# Needs root, loop devices, and debootstrap and systemd-nspawn, which it installs if they are missing and this is Debian. The system
# is fetched once, into target/drill: a minute or two; then it takes half a one. Prints a line a step; exits with 1 if one failed,
# also if it cannot run here.
# shellcheck disable=SC2016 # a $ in single quotes is for the shell of that machine
set -euo pipefail
export LC_ALL=C

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/target/drill
base=$folder/debian
tmp=$(mktemp -d)
nspawn_pid='' leader=''

clean_up() {
    # Whoever writes to a frozen disk cannot even be killed.
    fsfreeze --unfreeze "$tmp/data" 2>/dev/null || true
    if [ -n "$nspawn_pid" ] && kill -0 "$nspawn_pid" 2>/dev/null; then
        [ -z "$leader" ] || kill -s RTMIN+4 "$leader" 2>/dev/null || true # poweroff, for systemd
        wait_until_gone || kill -9 "$nspawn_pid" 2>/dev/null || true
    fi
    if mountpoint --quiet "$tmp/data"; then
        umount "$tmp/data" || umount --lazy "$tmp/data"
    fi
    rm -rf "$tmp"
    # What nspawn leaves where no manager tidies up.
    [ -d /run/systemd/system ] || find /sys/fs/cgroup -depth -type d \( -path '*/payload' -o -path '*/payload/*' -o -path '*/supervisor' \) \
        -exec rmdir {} + 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM

wait_until_gone() {
    local tries
    for ((tries = 0; tries < 150; tries++)); do
        kill -0 "$nspawn_pid" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}

fail() {
    printf 'FAIL  %s\n' "$*" >&2
    [ -z "$leader" ] || inside 'journalctl --no-pager --lines=40 --unit=widgetd' >&2 || true
    tail -n 20 "$tmp/console" >&2 2>/dev/null || true
    exit 1
}

ok() {
    printf 'ok    %s\n' "$*"
}

tools() {
    [ "$(id -u)" = 0 ] || fail 'the drill boots a machine: run it as root'
    local packages=()
    command -v debootstrap >/dev/null || packages+=(debootstrap)
    command -v systemd-nspawn >/dev/null || packages+=(systemd-container)
    ((${#packages[@]} == 0)) && return
    command -v apt-get >/dev/null || fail "the drill needs ${packages[*]}: install them with your package manager"
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" >/dev/null
}

fetch_system() {
    [ ! -d "$base" ] || return 0
    mkdir -p "$folder"
    rm -rf "$base.new"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl bookworm "$base.new" >"$tmp/debootstrap" ||
        { tail "$tmp/debootstrap" >&2; fail 'debootstrap could not fetch Debian'; }
    mv "$base.new" "$base"
}

# inside COMMAND: of a shell, as root in root's folder, on the machine.
inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
        env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        sh -c "cd /root && { $1
        }"
}

# until_inside WHAT COMMAND: until it succeeds, half a minute at most.
until_inside() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        if inside "$2" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    fail "$1: never came true"
}

# What is installed, into a folder.
unpack() {
    mkdir "$tmp/release"
    if [ "$tarball" = --built ]; then
        [ -f target/release/widgetd ] || fail 'there is no target/release/widgetd: cargo build --release'
        install target/release/widgetd scripts/install.sh "$tmp/release"
        cp --recursive scripts/deploy "$tmp/release"
    else
        [ -f "$tarball" ] || fail "$tarball is not there"
        tar --extract --gzip --file "$tarball" --directory "$tmp/release" --strip-components=1 --no-same-owner
    fi
}

boot() {
    # A disk of its own for the data, that can stall; it is above free_disk_floor.
    mkdir "$tmp/data"
    truncate --size=1G "$tmp/disk"
    mkfs.ext4 -q "$tmp/disk"
    mount -o loop "$tmp/disk" "$tmp/data" || fail 'the drill needs loop devices'
    # systemd must speak of the same cgroups as this machine does.
    local hybrid=() unmanaged=()
    [ -e /sys/fs/cgroup/cgroup.controllers ] || hybrid=(systemd.unified_cgroup_hierarchy=0)
    [ -d /run/systemd/system ] || unmanaged=(--keep-unit)
    # What else is written stays in memory.
    systemd-nspawn --quiet --directory="$base" --volatile=overlay --machine=widgetd-drill --register=no "${unmanaged[@]}" \
        --private-network --resolv-conf=off --console=pipe --bind-ro="$tmp/release:/mnt" --bind="$tmp/data:/var/lib/widgetd" --boot "${hybrid[@]}" \
        </dev/null >"$tmp/console" 2>&1 &
    nspawn_pid=$!
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        # By its name: a child before it only prepares the machine.
        leader=$(pgrep --exact --parent "$nspawn_pid" systemd) || true
        [ -z "$leader" ] || break
        kill -0 "$nspawn_pid" 2>/dev/null || fail 'systemd-nspawn does not run here: it needs all of root'"'"'s rights'
        sleep 0.1
    done
    until_inside 'the machine is up' 'systemctl is-system-running'
    ok "booted: $(inside '. /etc/os-release; echo "$PRETTY_NAME"'), systemd $(inside 'systemctl --version' | sed -n '1s/systemd \([^ ]*\).*/\1/p')"
}

# property NAME: of the service.
property() {
    inside "systemctl show widgetd --property=$1 --value"
}

main_pid() {
    property MainPID
}

# What a visitor's browser does, by way of a proxy: visit ADDRESS [VISITOR_ID] prints what it is told at first, and the answer.
put_visit() {
    inside 'cat >/root/visit && chmod 755 /root/visit' <<'SH'
#!/bin/sh
set -e
server=http://127.0.0.1:8080/v1/widget
call() {
    curl -sS --fail -H "Origin: https://www.example.com" -H "X-Forwarded-For: $address" -H "Content-Type: application/json" "$@"
}
address=$1
told=$(call -d "{\"agent_id\":\"example\"${2:+,\"visitor_id\":\"$2\"}}" $server/init)
printf '%s\n' "$told"
token=$(printf '%s' "$told" | sed 's/.*"token":"\([^"]*\)".*/\1/')
call -H "Authorization: Bearer $token" -d '{"content":"Do you ship abroad?"}' $server/messages
SH
}

# visit: another visitor, who must read what was imported.
visits=0
visit() {
    local told
    visits=$((visits + 1))
    told=$(inside "./visit 203.0.113.$visits") || return 1
    grep --quiet 'to all of Europe' <<<"$told" || fail "a visitor was told: $told"
    printf '%s\n' "$told"
}

# conversations: how many are stored, as the owner counts them.
conversations() {
    inside "$as_owner widgetd conversations list --format csv --limit 1000" | tail -n +2 | wc -l
}

install_it() {
    inside '/mnt/widgetd --version' >/dev/null ||
        fail 'this widgetd does not run on Debian 12: build it there, or give the drill a tarball of scripts/release.sh'
    inside 'cd /mnt && sh install.sh' >"$tmp/installed" || fail 'install.sh'
    grep --quiet '^installed widgetd ' "$tmp/installed" || fail "install.sh said: $(cat "$tmp/installed")"
    inside 'systemctl is-active widgetd' >/dev/null && fail 'it was started without a word'
    inside 'systemd-analyze verify /etc/systemd/system/widgetd*.service' || fail 'systemd has complaints about the units'
    ok "$(grep '^installed' "$tmp/installed")"
}

# What is installed, who may read it.
check_modes() {
    [ "$(inside 'stat -c "%a %U %G" /etc/widgetd/widget.toml /etc/widgetd/env /var/lib/widgetd' | paste --serial --delimiters=,)" = \
        '640 root widgetd,600 root root,700 widgetd widgetd' ] || fail 'somebody else may read configuration, keys or data'
}

# next WORDS: the command with these words that init said comes next. install.sh must have said the same.
next() {
    grep --fixed-strings -- "$1" "$tmp/init" | grep --fixed-strings --line-regexp --file=- "$tmp/installed" ||
        fail "\"$1\" is not what both install.sh and init say: $(cat "$tmp/installed" "$tmp/init")"
}

# The model is on no machine that can be reached: what was imported answers.
configure() {
    grep --quiet '^  widgetd init$' "$tmp/installed" || fail "install.sh does not say what is next: $(cat "$tmp/installed")"
    inside 'cd /mnt && widgetd init --site https://www.example.com --public-url https://chat.example.com \
        --model-url http://127.0.0.1:9/v1 --model none --key-env MODEL_KEY' >"$tmp/init" || fail 'init'
    inside 'cat >faq.md && widgetd import-faq faq.md' >/dev/null <<'MD' || fail 'import-faq'
## How long does shipping take?

Two to four days.

**Q:** Do you ship abroad?
**A:** Yes, to all of Europe.
MD
    check_modes
    inside "grep -q '^folder = \"/var/lib/widgetd\"' /etc/widgetd/widget.toml" || fail 'the database would be elsewhere'
    if inside "$(next 'widgetd check')" >"$tmp/check" 2>&1; then fail 'check finds nothing wrong with a key that is missing'; fi
    grep --quiet 'MODEL_KEY' "$tmp/check" || fail "check said of a missing key: $(cat "$tmp/check")"
    inside "echo \"MODEL_KEY='not a key'\" >>/etc/widgetd/env"
    inside "$(next 'widgetd check')" >"$tmp/check" || fail 'check'
    grep --quiet '^/etc/widgetd/widget.toml is valid' "$tmp/check" || fail "check said: $(cat "$tmp/check")"
    ok "$(sed -n '1s/\.$//p' "$tmp/check"), $(grep --only-matching '[0-9]* FAQ entries' "$tmp/check")"
}

start() {
    inside "$(next 'systemctl enable')" 2>/dev/null || fail 'it does not start'
    [ "$(property ActiveState)/$(property NotifyAccess)" = active/main ] || fail 'it is not active'
    inside 'systemctl is-active --quiet widgetd-backup.timer' || fail 'the timer of the backups is not on'
    echo 'correct horse battery' | inside "$(next 'admin set-password')" >/dev/null || fail 'set-password'
    check_modes
    local began ready
    began=$(property ExecMainStartTimestampMonotonic) ready=$(property ActiveEnterTimestampMonotonic)
    ok "active: \"$(property StatusText)\", ready $(((ready - began) / 1000)) ms after its start"
}

shut_in() {
    local status
    status=$(inside "cat /proc/$(main_pid)/status")
    grep --quiet --extended-regexp 'NoNewPrivs:.1' <<<"$status" || fail 'it may gain privileges'
    grep --quiet --extended-regexp 'Seccomp:.2' <<<"$status" || fail 'no system call is refused'
    grep --quiet --extended-regexp 'CapBnd:.0{16}' <<<"$status" || fail 'it has capabilities'
    # As the service sees the machine.
    local place
    for place in / /etc/widgetd /usr/local/bin /var/log /home; do
        nsenter --target "$(nsenter_pid)" --mount --root -- sh -c "touch $place/drill 2>/dev/null" && fail "it can write to $place"
    done
    nsenter --target "$(nsenter_pid)" --mount --root -- sh -c 'test -w /var/lib/widgetd && test ! -e /dev/sda && test ! -e /proc/kallsyms' ||
        fail 'its folder cannot be written to, or it sees too much'
    ok 'shut in: no capability, system calls filtered, only /var/lib/widgetd can be written to'
}

# Its process id as this machine counts.
nsenter_pid() {
    local inner pid
    inner=$(main_pid)
    for pid in $(pgrep --exact widgetd); do
        if [ "$(sed -n 's/^NSpid:.*\t//p' "/proc/$pid/status")" = "$inner" ] &&
            [ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink "/proc/$leader/ns/pid")" ]; then
            printf '%s\n' "$pid"
            return
        fi
    done
    return 1
}

serve() {
    put_visit
    local answer
    answer=$(visit) || fail 'a visitor is not answered'
    first_visitor=$(sed -n '1s/.*"visitor_id":"\([^"]*\)".*/\1/p' <<<"$answer")
    [ "$(conversations)" = 1 ] || fail 'the owner does not see the conversation'
    inside 'for i in $(seq 20); do ./visit 198.51.100.$i >/dev/null || exit 1; done' || fail 'twenty more visitors'
    [ "$(conversations)" = 21 ] || fail "of 21 conversations $(conversations) are there"
    until_inside 'the figures' "$as_owner widgetd stats --days 1 | grep '^total  *21 '"
    ok "21 visitors were answered, and the owner sees them; memory $(awk '/VmRSS/ {print $2}' "/proc/$(nsenter_pid)/status") KiB"
}

# A site of another name, whose tag asks for an agent that is not there, and a public address at which nobody answers.
diagnose() {
    inside 'cat >/root/page' <<'SH'
while read -r header && [ "${#header}" -gt 1 ]; do :; done
page='<!doctype html><script src="https://chat.example.com/widget.js" data-agent-id="exampel" async></script>'
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${#page}" "$page"
SH
    inside 'cd /run/systemd/system && printf "[Socket]\nListenStream=127.0.0.1:8090\nAccept=yes\n" >page.socket &&
        printf "[Service]\nExecStart=sh /root/page\nStandardInput=socket\n" >page@.service &&
        systemctl daemon-reload && systemctl start page.socket' || fail 'the page is not served'
    if inside 'widgetd doctor http://127.0.0.1:8090/' >"$tmp/doctor" 2>&1; then fail 'doctor finds nothing wrong'; fi
    local finding
    for finding in agent-unknown origin-not-allowed server-unreachable; do
        grep --quiet --fixed-strings "[$finding]" "$tmp/doctor" || fail "no $finding, doctor said: $(cat "$tmp/doctor")"
    done
    inside 'systemctl stop page.socket'
    ok 'doctor: an agent that is not there, an origin that is not allowed and a server that cannot be reached are found'
}

scrape() {
    inside 'printf "\n[admin]\nlisten = \"127.0.0.1:8081\"\n" >>/etc/widgetd/widget.toml && systemctl restart widgetd' ||
        fail 'restart with an address for the owner'
    visit >/dev/null || fail 'a visitor is not answered after a restart'
    # A request is counted after its answer has left.
    until_inside 'the answer in /metrics' 'curl -sS --fail http://127.0.0.1:8081/metrics |
        grep "^widgetd_http_requests_total{.*/v1/widget/messages.* 1$"'
    if inside 'curl -sS --fail http://127.0.0.1:8080/metrics' >/dev/null 2>&1; then fail 'visitors can read /metrics'; fi
    ok 'metrics: what a visitor asked is counted, and only the address of the owner tells it'
}

reload() {
    inside "sed -i 's/^greeting = .*/greeting = \"Good evening!\"/' /etc/widgetd/widget.toml && systemctl reload widgetd" ||
        fail 'reload'
    until_inside 'the new greeting' "$greeting | grep 'Good evening!'"
    inside 'cp -p /etc/widgetd/widget.toml /root/good.toml && echo "[sever]" >>/etc/widgetd/widget.toml'
    if inside 'systemctl reload widgetd' 2>/dev/null; then fail 'a reload with a mistake in the file went well'; fi
    inside 'systemctl is-active --quiet widgetd' || fail 'a mistake in the file stopped the server'
    inside 'journalctl --unit=widgetd --no-pager | grep "did you mean"' >/dev/null || fail 'the mistake is not in the journal'
    visit >/dev/null || fail 'a visitor is not answered after a reload that failed'
    ok 'reload: a change is taken over; a mistake fails the reload, with the reason in the journal, and the server goes on'
}

# With the mistake still there.
upgrade_with_a_mistake() {
    local before
    before=$(inside 'sha256sum /usr/local/bin/widgetd')
    if inside 'cd /root/next && sh install.sh' >"$tmp/said" 2>&1; then fail 'an upgrade over a mistake in widget.toml went well'; fi
    grep --quiet 'Nothing was replaced' "$tmp/said" || fail "an upgrade over a mistake said: $(cat "$tmp/said")"
    [ "$(inside 'sha256sum /usr/local/bin/widgetd')" = "$before" ] || fail 'it was replaced all the same'
    if inside 'rm /etc/widgetd/widget.toml && cd /root/next && sh install.sh' >"$tmp/said" 2>&1; then
        fail 'an upgrade without a widget.toml went well'
    fi
    grep --quiet 'Nothing was replaced' "$tmp/said" || fail "an upgrade without a widget.toml said: $(cat "$tmp/said")"
    [ "$(inside 'sha256sum /usr/local/bin/widgetd')" = "$before" ] || fail 'it was replaced all the same'
    inside 'mv /root/good.toml /etc/widgetd/widget.toml && systemctl reload widgetd' || fail 'reload of what was good'
    ok 'an upgrade over a mistake in widget.toml, or without one, replaces nothing'
}

# another_runs WHAT PID: waits for a server that is ready and is not this process.
another_runs() {
    until_inside "$1" "pid=\$(systemctl show widgetd --property=MainPID --value)
        test \$pid != 0 && test \$pid != $2 && systemctl is-active --quiet widgetd"
}

# stall PID: the disk does, for longer than the watchdog waits, while a visitor wants to be answered.
stall() {
    fsfreeze --freeze "$tmp/data"
    local waiting
    visit >"$tmp/stalled" &
    waiting=$!
    sleep 5
    local pid
    pid=$(main_pid)
    fsfreeze --unfreeze "$tmp/data"
    [ "$pid" = "$1" ] || fail 'the watchdog restarted a server whose disk stalls'
    [ ! -s "$tmp/stalled" ] || fail 'a visitor was answered although nothing could be stored'
    wait "$waiting" || fail 'a visitor was not answered when the disk went on'
}

watchdog() {
    local before stored
    stored=$(conversations)
    inside 'mkdir -p /etc/systemd/system/widgetd.service.d
        printf "[Service]\nWatchdogSec=2\n" >/etc/systemd/system/widgetd.service.d/drill.conf
        systemctl daemon-reload && systemctl restart widgetd' || fail 'restart'
    before=$(main_pid)
    # Longer than the watchdog waits.
    sleep 3
    [ "$(main_pid)" = "$before" ] || fail 'the watchdog restarted a server that serves'
    stall "$before"
    inside "kill -STOP $before"
    another_runs 'the watchdog restarts a server that hangs' "$before"
    inside 'journalctl --unit=widgetd --no-pager | grep "Watchdog timeout"' >/dev/null || fail 'it was not the watchdog'
    visit >/dev/null || fail 'a visitor is not answered after a restart by the watchdog'
    before=$(main_pid)
    inside "kill -KILL $before; rm -r /etc/systemd/system/widgetd.service.d; systemctl daemon-reload"
    another_runs 'a killed server is started again' "$before"
    [ "$(conversations)" = $((stored + 2)) ] || fail "of $((stored + 2)) conversations $(conversations) are there"
    ok 'the watchdog lets a server be whose disk stalls, and restarts one that hangs; one that was killed is started again; all that was said is there'
}

backup() {
    inside 'systemctl start widgetd-backup' ||
        { inside 'journalctl --no-pager --lines=20 --unit=widgetd-backup' >&2; fail 'the backup'; }
    inside 'systemctl list-timers --no-pager widgetd-backup.timer' | grep --quiet '1 timers listed' || fail 'the timer of the backup'
    [ "$(inside 'cd /var/backups/widgetd && stat -c "%a %U" . *.db' | paste --serial --delimiters=,)" = '700 widgetd,600 widgetd' ] ||
        fail "no backup, or one that others may read: $(inside 'ls -lR /var/backups')"
    inside "$as_owner widgetd backup /var/backups/widgetd/by-hand.db" >/dev/null || fail 'a backup by hand'
    ok 'the service made a backup, and its timer is on'
}

# lose_and_restore: all that is in the database is lost, and comes back from the backup, as the README has it.
lose_and_restore() {
    local stored answer
    stored=$(conversations)
    visit >/dev/null || fail 'a visitor is not answered after the backup'
    inside 'systemctl stop widgetd && rm /var/lib/widgetd/widgetd.db*' || fail 'the database cannot be lost'
    inside "$as_owner widgetd restore \$(ls /var/backups/widgetd/widgetd-*.db) && systemctl start widgetd" >"$tmp/restored" ||
        fail "the restoring: $(cat "$tmp/restored")"
    check_modes
    [ "$(conversations)" = "$stored" ] || fail "of $stored conversations $(conversations) came back"
    answer=$(inside "./visit 203.0.113.1 $first_visitor") || fail 'a visitor who comes again is not answered'
    grep --quiet '"resumed":true.*Do you ship abroad\|Do you ship abroad.*"resumed":true' <<<"$answer" ||
        fail "a visitor who comes again was told: $answer"
    inside "$as_owner widgetd restore --yes /var/backups/widgetd/by-hand.db" >/dev/null 2>&1 &&
        fail 'it restored under a server that runs'
    ok "the database was lost, and restored: $stored conversations, and the first visitor's goes on"
}

# The same program under another version: what it calls itself, changed in place.
make_next() {
    local from to
    from=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    to=${from%.*}.$((${from##*.} + 1))
    [ ${#to} = ${#from} ] || to=${from//[0-9]/9}
    inside "cp -r /mnt /root/next && sed -i 's/${from//./\\.}/$to/g' /root/next/widgetd && /root/next/widgetd --version" >"$tmp/next" ||
        fail 'no next version could be made'
}

upgrade() {
    local said before stored
    before=$(main_pid) stored=$(conversations)
    inside 'systemctl start widgetd-backup' || fail 'the backup before the upgrade'
    said=$(inside 'cd /root/next && sh install.sh') || fail 'the upgrade'
    grep --quiet '^upgraded widgetd .* to widgetd ' <<<"$said" || fail "the upgrade said: $said"
    [ "$(main_pid)" != "$before" ] || fail 'the upgrade did not restart the service'
    [ "$(inside 'widgetd --version')" = "$(cat "$tmp/next")" ] || fail 'the old version is still there'
    inside "$greeting | grep 'Good evening!'" >/dev/null ||
        fail 'the upgrade changed the configuration'
    [ "$(conversations)" = "$stored" ] || fail 'the upgrade lost conversations'
    ok "$(grep '^upgraded' <<<"$said"), restarted"
    go_back "$said"
    ok "and back to $(inside 'widgetd --version')"
}

# go_back SAID: as install.sh has said.
go_back() {
    inside "$(sed -n 's/^To go back: //p' <<<"$1")" || fail 'the way back'
    [ "$(inside 'widgetd --version')" != "$(cat "$tmp/next")" ] || fail 'the way back leads nowhere'
    visit >/dev/null || fail 'a visitor is not answered after the way back'
}

# A program that takes the configuration and does not serve.
upgrade_that_does_not_start() {
    local said
    inside 'cp -r /root/next /root/broken && cat >/root/broken/widgetd && chmod 755 /root/broken/widgetd' <<'SH'
#!/bin/sh
[ "$1" != serve ] || { echo 'no, I do not serve' >&2; exit 1; }
exec /mnt/widgetd "$@"
SH
    if said=$(inside 'cd /root/broken && sh install.sh' 2>&1); then fail 'an upgrade that does not start went well'; fi
    grep --quiet 'I do not serve' <<<"$said" || fail "an upgrade that does not start gives no reason: $said"
    go_back "$said"
    ok 'an upgrade that does not start says why, and how to go back, which works'
}

stop() {
    inside 'systemctl stop widgetd' || fail 'stop'
    [ "$(property Result)" = success ] || fail "it stopped with $(property Result)"
    inside 'test ! -s /var/lib/widgetd/widgetd.db-wal' || fail 'the log was not folded back'
    inside 'cd /root/next && sh install.sh' >/dev/null || fail 'an upgrade of a server that is stopped'
    inside 'systemctl is-active --quiet widgetd' && fail 'an upgrade started a server that was stopped'
    inside 'cd /mnt && sh install.sh --uninstall' >/dev/null || fail 'uninstall'
    inside 'test -s /var/lib/widgetd/widgetd.db && test -s /etc/widgetd/widget.toml && test -s /var/backups/widgetd/by-hand.db &&
        ! command -v widgetd && ! systemctl cat widgetd' >/dev/null 2>&1 ||
        fail 'uninstalling took too much, or too little'
    ok 'stopped well; uninstalled, and the data is still there'
}

# As the README has it.
as_owner='runuser -u widgetd --'
greeting='curl -sS -H "Origin: https://www.example.com" "http://127.0.0.1:8080/v1/widget/config?agent_id=example"'
first_visitor=
tarball=${1:-}
tools
if [ "$tarball" = install ]; then
    fetch_system
    exit
fi
if [ -z "$tarball" ]; then
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    tarball=target/release-$version/widgetd-$version-$(uname -m)-linux.tar.gz
    [ -f "$tarball" ] || scripts/release.sh
fi
unpack
fetch_system
started=$SECONDS
boot
install_it
configure
start
shut_in
serve
diagnose
scrape
make_next
reload
upgrade_with_a_mistake
watchdog
backup
lose_and_restore
upgrade
upgrade_that_does_not_start
stop
printf 'The drill went well, in %s s.\n' $((SECONDS - started))
