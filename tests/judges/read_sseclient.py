"""Reads one answer with PyPI's sseclient-py: prints its events, [[name, data], …]."""

import json

import requests
from sseclient import SSEClient

from question import BODY, HEADERS, URL

with requests.post(URL, json=BODY, headers=HEADERS, stream=True, timeout=60) as response:
    events = [[event.event, event.data] for event in SSEClient(response).events()]
print(json.dumps(events))
