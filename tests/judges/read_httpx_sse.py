"""Reads one answer with PyPI's httpx-sse: prints its events, [[name, data], …]."""

import json

import httpx
from httpx_sse import connect_sse

from question import BODY, HEADERS, URL

with httpx.Client(timeout=60) as client, connect_sse(client, "POST", URL, json=BODY, headers=HEADERS) as source:
    print(json.dumps([[event.event, event.data] for event in source.iter_sse()]))
