#!/usr/bin/env bash
# Everything that must hold before a change is taken: formatting, lints, all tests, the outside judges, the documentation,
# the widget in a real browser, both smokes.
#
#   scripts/test.sh
#
# Needs the Rust toolchain of rust-toolchain.toml, and: a C compiler, curl, jq, openssl, python3 with venv, Node.js 20 or
# newer with npm, nginx, caddy, shellcheck, mandoc, systemd-analyze, systemd-nspawn, debootstrap, slowhttptest, promtool, libfaketime,
# chromium with two fonts. What is missing is installed by apt-get if this runs as root on Debian or Ubuntu; else it says what to install.
# Packages come from crates.io, PyPI and npm. The tests of a full disk mount a small one, and the drill boots a Debian 12: that
# takes root.
# Prints each step's name and how long it took, two of them at a time where neither minds. Stops at the first that fails, and exits
# with 1.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Where Debian keeps nginx, also for those who are not root.
PATH=$PATH:/usr/sbin
NODE_MIN=20
OPENAPI_VALIDATOR=openapi-spec-validator==0.9.0

step() {
    local name=$1 started=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    # Not in an `if`: there a function would go on after a command in it that fails.
    set +e
    (
        set -e
        "$@"
    )
    local code=$?
    set -e
    if ((code != 0)); then
        printf '\nFAILED: %s, after %s s\n' "$name" $((SECONDS - started)) >&2
        exit 1
    fi
    printf -- '--- %s: %s s\n' "$name" $((SECONDS - started))
}

# What runs beside the steps, by its name: its process, which leads a group of its own, and where it writes what it says.
declare -A beside_pid beside_said

# beside NAME COMMAND…: a step that needs no quiet, beside others that need none. Its output comes when it is joined.
beside() {
    printf '\n... %s begins\n' "$1"
    beside_said[$1]=$(mktemp)
    set -m
    step "$@" >"${beside_said[$1]}" 2>&1 </dev/null &
    beside_pid[$1]=$!
    set +m
}

# join NAME: waits for its end, and tells what it said.
join() {
    local code=0
    wait "${beside_pid[$1]}" || code=$?
    unset "beside_pid[$1]"
    cat "${beside_said[$1]}"
    ((code == 0)) || exit 1
}

clean_up() {
    local pid
    for pid in "${beside_pid[@]}"; do
        kill -- "-$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -f "${beside_said[@]}"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# The Debian packages of the commands that are not here.
missing_packages() {
    local command_and_package
    for command_and_package in cc:build-essential curl:curl jq:jq openssl:openssl node:nodejs npm:npm python3:python3 \
        shellcheck:shellcheck mandoc:mandoc nginx:nginx-light caddy:caddy systemd-analyze:systemd \
        systemd-nspawn:systemd-container debootstrap:debootstrap slowhttptest:slowhttptest \
        promtool:prometheus; do
        command -v "${command_and_package%%:*}" >/dev/null || printf '%s\n' "${command_and_package##*:}"
    done
    # Debian's python3 comes without what makes a virtual environment.
    python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv\n'
    # Preloaded by the tests that set the server's clock; it brings no command.
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || printf 'libfaketime\n'
}

tools() {
    local packages
    mapfile -t packages < <(missing_packages)
    if ((${#packages[@]} > 0)); then
        printf 'missing: %s\n' "${packages[*]}"
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            printf 'Install these and run this again.\n' >&2
            return 1
        fi
        apt-get update --quiet=2
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" >/dev/null
    fi
    if ! command -v cargo >/dev/null; then
        printf 'cargo is missing: install Rust, see https://rustup.rs\n' >&2
        return 1
    fi
    if (($(node --print 'process.versions.node.split(".")[0]') < NODE_MIN)); then
        printf 'node is %s: install Node.js %s or newer\n' "$(node --version)" "$NODE_MIN" >&2
        return 1
    fi
    cargo --version
    printf 'node %s\n' "$(node --version)"
}

shell_scripts() {
    local script
    for script in scripts/*.sh .ci/run; do
        bash -n "$script"
    done
    shellcheck scripts/*.sh .ci/run
}

# It has no date: the version is what tells one page from another.
manual() {
    local complaints
    complaints=$(target/debug/widgetd man | mandoc -T lint || true)
    ! grep -E 'WARNING|ERROR|UNSUPP' <<<"$complaints" | grep -v 'missing date'
}

# The units of systemd: their grammar, and how far the service is shut in.
units() {
    local scratch=target/units
    mkdir -p $scratch
    rm -f $scratch/*
    cp scripts/deploy/*.service scripts/deploy/*.timer $scratch
    # Where it is not installed, another program stands for it.
    sed -i 's|/usr/local/bin/widgetd|/bin/true|g' $scratch/*.service
    systemd-analyze verify $scratch/*
    # In tenths, of 10 for no protection at all.
    local unit
    for unit in scripts/deploy/*.service; do
        systemd-analyze security --offline=true --threshold=20 "$unit" | tail -n 1
    done
}

OPENAPI_VENV=target/openapi-validator

# What later steps need from Debian, PyPI and npm, and would install themselves.
packages() {
    if [ ! -x $OPENAPI_VENV/bin/openapi-spec-validator ]; then
        python3 -m venv $OPENAPI_VENV
        $OPENAPI_VENV/bin/python -m pip install --quiet --disable-pip-version-check $OPENAPI_VALIDATOR
    fi
    scripts/judges.sh install
    scripts/browser.sh install
    scripts/drill.sh install
    scripts/real-model.sh
}

openapi() {
    $OPENAPI_VENV/bin/openapi-spec-validator src/api/openapi.json
}

step 'tools' tools
# The compiler needs no network.
beside 'packages' packages
step 'shell scripts' shell_scripts
step 'units' units
step 'formatting' cargo fmt --check
step 'lints' cargo clippy --locked --all-targets -- -D warnings
# With the examples it needs the dependencies as the lints have checked them.
step 'documentation' env RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --document-private-items --locked --lib --examples
# Half of it is one long thread.
beside 'release build' nice cargo build --release --locked
# Most of them wait: for a server to start, a client to leave, a limit to pass.
step 'tests' env RUST_TEST_THREADS=$((3 * $(nproc))) cargo test --locked
step 'manual' manual
join 'packages'
step 'openapi.json' openapi
# They wait for silences and for Python most of the time, and ask the debug build.
beside 'outside judges' scripts/judges.sh
step 'widget tests' node --test tests/widget/*.test.js
join 'release build'
step 'drill' scripts/drill.sh --built
step 'browser tests' scripts/browser.sh
join 'outside judges'
step 'slow and greedy clients' scripts/slow.sh
# It looks at what is left when all is over, and not at how fast it went.
beside 'soak' scripts/soak.sh
step 'smoke' scripts/smoke.sh
step 'metrics' scripts/metrics.sh
step 'smoke with a real model' scripts/smoke-real.sh
step 'fuzzing' scripts/fuzz.sh
join 'soak'

printf '\nAll passed, in %s s.\n' "$SECONDS"
