#!/usr/bin/env bash
# Installs, runs and upgrades a release on a machine with nothing but Debian, as an operator would, and says what happened.
#
#   scripts/drill.sh                        with the newest tarball in target/release-*, which it makes if there is none
#   scripts/drill.sh widgetd-….tar.gz       with that one
#   scripts/drill.sh --built                with target/release/widgetd as it is, if this is Debian 12 too
#
# The machine is Debian 12 of debootstrap's smallest kind with systemd and curl, booted by systemd-nspawn with a network of its own
# in which there is nobody else. In it: install.sh, the service, its shutting-in, a visitor, a reload, a mistake, the watchdog,
# a kill, the backup if the release has one, upgrades good and bad, the way back, and the end. What is done to the machine
# is gone afterwards.
#
# Needs root, loop devices, and debootstrap and systemd-nspawn, which it installs if they are missing and this is Debian. The system
# is fetched once, into target/drill: a minute or two; then it takes half a one. Prints a line a step; exits with 1 if one failed.
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
    [ "$(id -u)" = 0 ] || fail 'needs root'
    local packages=()
    command -v debootstrap >/dev/null || packages+=(debootstrap)
    command -v systemd-nspawn >/dev/null || packages+=(systemd-container)
    ((${#packages[@]} == 0)) && return
    command -v apt-get >/dev/null || fail "needs ${packages[*]}: install them with your package manager"
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" >/dev/null
}

fetch_system() {
    [ ! -d "$base" ] || return 0
    mkdir -p "$folder"
    rm -rf "$base.new"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl bookworm "$base.new" >"$tmp/debootstrap" ||
        { tail "$tmp/debootstrap" >&2; fail 'debootstrap'; }
    mv "$base.new" "$base"
}

# inside COMMAND: of a shell, as root, on the machine.
inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
        env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 sh -c "$1"
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
        install target/release/widgetd scripts/install.sh widget.toml "$tmp/release"
        cp --recursive scripts/deploy "$tmp/release"
    else
        [ -f "$tarball" ] || fail "$tarball is not there"
        tar --extract --gzip --file "$tarball" --directory "$tmp/release" --strip-components=1 --no-same-owner
    fi
}

boot() {
    # A disk of its own for the data, that can stall.
    mkdir "$tmp/data"
    truncate --size=64M "$tmp/disk"
    mkfs.ext4 -q "$tmp/disk"
    mount -o loop "$tmp/disk" "$tmp/data"
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
        leader=$(pgrep --parent "$nspawn_pid" | head -n 1) || true
        [ -z "$leader" ] || break
        kill -0 "$nspawn_pid" 2>/dev/null || fail 'systemd-nspawn does not run here'
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

# A visitor of the demo agent; prints the answer of the FAQ.
visit() {
    inside '
        set -e
        server=http://127.0.0.1:8080
        token=$(curl -sS --fail -H "Origin: $server" -H "Content-Type: application/json" -d "{\"agent_id\":\"demo\"}" \
            $server/v1/widget/init | sed "s/.*\"token\":\"\([^\"]*\)\".*/\1/")
        curl -sS --fail -H "Origin: $server" -H "Authorization: Bearer $token" -H "Content-Type: application/json" \
            -d "{\"content\":\"What is widgetd?\"}" $server/v1/widget/messages'
}

# conversations: how many are stored, as the owner counts them.
conversations() {
    inside "$as_owner widgetd conversations list --format csv --config /etc/widgetd/widget.toml" | tail -n +2 | wc -l
}

install_it() {
    local said
    said=$(inside 'cd /mnt && sh install.sh') || fail 'install.sh'
    grep --quiet '^installed widgetd ' <<<"$said" || fail "install.sh said: $said"
    [ "$(inside 'stat -c "%a %U %G" /etc/widgetd/widget.toml /etc/widgetd/env /var/lib/widgetd' | paste --serial --delimiters=,)" = \
        '640 root widgetd,600 root root,700 widgetd widgetd' ] || fail 'somebody else may read configuration, keys or data'
    inside 'systemctl is-active widgetd' >/dev/null && fail 'it was started without a word'
    inside 'systemd-analyze verify /etc/systemd/system/widgetd*.service' || fail 'systemd has complaints about the units'
    ok "$(head -n 100 <<<"$said" | grep '^installed')"
}

start() {
    inside 'systemd-run --quiet --pipe --wait --property=User=widgetd --property=EnvironmentFile=/etc/widgetd/env \
        widgetd check --config /etc/widgetd/widget.toml' >"$tmp/check" || fail 'check, as the README has it'
    grep --quiet 'is valid' "$tmp/check" || fail "check said: $(cat "$tmp/check")"
    inside 'systemctl enable --quiet --now widgetd' || fail 'it does not start'
    [ "$(property ActiveState)/$(property NotifyAccess)" = active/main ] || fail 'it is not active'
    local began ready
    began=$(property ExecMainStartTimestampMonotonic) ready=$(property ActiveEnterTimestampMonotonic)
    ok "active: \"$(property StatusText)\", ready $(((ready - began) / 1000)) ms after its start"
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
    local answer
    answer=$(visit) || fail 'a visitor is not answered'
    grep --quiet '"finish_reason":"stop"' <<<"$answer" || fail "a visitor was told: $answer"
    [ "$(conversations)" = 1 ] || fail 'the owner does not see the conversation'
    ok "a visitor was answered, and the owner sees it; memory $(awk '/VmRSS/ {print $2}' "/proc/$(nsenter_pid)/status") KiB"
}

reload() {
    inside "sed -i 's/^greeting = .*/greeting = \"Good evening!\"/' /etc/widgetd/widget.toml && systemctl reload widgetd" ||
        fail 'reload'
    until_inside 'the new greeting' 'curl -sS "http://127.0.0.1:8080/v1/widget/config?agent_id=demo" -H "Origin: http://127.0.0.1:8080" | grep "Good evening!"'
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
    inside 'mv /root/good.toml /etc/widgetd/widget.toml && systemctl reload widgetd' || fail 'reload of what was good'
    ok 'an upgrade over a mistake in widget.toml replaces nothing'
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
    local before
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
    [ "$(conversations)" = 4 ] || fail "of four conversations $(conversations) are there"
    ok 'the watchdog lets a server be whose disk stalls, and restarts one that hangs; one that was killed is started again; all that was said is there'
}

backup() {
    inside 'test -f /etc/systemd/system/widgetd-backup.service' || {
        printf 'skip  backup: the release has no widgetd-backup.service\n'
        return
    }
    inside 'systemctl start widgetd-backup.service' ||
        { inside 'journalctl --no-pager --lines=20 --unit=widgetd-backup' >&2; fail 'the backup'; }
    inside 'systemctl enable --quiet --now widgetd-backup.timer && systemctl is-active --quiet widgetd-backup.timer' ||
        fail 'the timer of the backup'
    ok 'the service of the backup ran, and its timer is on'
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
    local said before
    before=$(main_pid)
    said=$(inside 'cd /root/next && sh install.sh') || fail 'the upgrade'
    grep --quiet '^upgraded widgetd .* to widgetd ' <<<"$said" || fail "the upgrade said: $said"
    [ "$(main_pid)" != "$before" ] || fail 'the upgrade did not restart the service'
    [ "$(inside 'widgetd --version')" = "$(cat "$tmp/next")" ] || fail 'the old version is still there'
    inside "curl -sS -H 'Origin: http://127.0.0.1:8080' 'http://127.0.0.1:8080/v1/widget/config?agent_id=demo' | grep 'Good evening!'" >/dev/null ||
        fail 'the upgrade changed the configuration'
    [ "$(conversations)" = 4 ] || fail 'the upgrade lost conversations'
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
    inside 'test -s /var/lib/widgetd/widgetd.db && test -s /etc/widgetd/widget.toml && ! command -v widgetd && ! systemctl cat widgetd' >/dev/null 2>&1 ||
        fail 'uninstalling took too much, or too little'
    ok 'stopped well; uninstalled, and the data is still there'
}

as_owner='runuser --user widgetd --'
tarball=${1:-}
tools
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
start
serve
make_next
reload
upgrade_with_a_mistake
watchdog
backup
upgrade
upgrade_that_does_not_start
stop
printf 'The drill went well, in %s s.\n' $((SECONDS - started))
