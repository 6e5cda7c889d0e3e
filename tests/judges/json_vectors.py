"""Sends every vector of the JSON Parsing Test Suite to a running server.

    json_vectors.py FOLDER    the suite, as the source package of PyPI's orjson carries it (data/parsing)

As a body, n_… is no JSON: 400. y_… and i_… (which a parser may take or not) are not the object that is asked for: 422,
and 400 for i_… too. As props of an event y_… is stored: 202. What is over 64 KiB is 413 everywhere.
Needs BASE and TOKEN. Prints each wrong answer; exits with 1 if there is one.
"""

import http.client
import json
import lzma
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

BODY_BYTES_MAX = 65536
AS_BODY = {"n": {400}, "y": {422}, "i": {400, 422}}
HEADERS = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}


def post(body):
    """Status and code; a connection for each, so that one that hangs or closes is not the next one's fault."""
    connection = http.client.HTTPConnection(urlsplit(os.environ["BASE"]).netloc, timeout=10)
    try:
        connection.request("POST", "/v1/widget/events", body, HEADERS)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("code")
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()


def wrong(name, body, right):
    right = {413} if len(body) > BODY_BYTES_MAX else right
    status, code = post(body)
    if status in right:
        return 0
    print(f"{name}: {status} {code}, not {sorted(right)}: {body[:80]!r}")
    return 1


def main():
    files = sorted(Path(sys.argv[1]).iterdir())
    failures = 0
    for path in files:
        vector = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        kind = path.name[0]
        failures += wrong(path.name, vector, AS_BODY[kind])
        if kind == "y":
            failures += wrong(f"{path.name} as props", b'{"type":"custom.vector","props":{"v":%s}}' % vector, {202})
    if not files:
        sys.exit("no vectors")
    print(f"{len(files)} vectors, {failures} wrong answers")
    sys.exit(failures > 0)


main()
