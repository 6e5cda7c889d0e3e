"""What Schemathesis cannot read from the description: who the agent is, and how to get a token.

Loaded by scripts/judges.sh through SCHEMATHESIS_HOOKS. Needs BASE, the address of the server.
"""

import json
import os
import urllib.request

import schemathesis

BASE = os.environ["BASE"]
AGENT = "demo"


@schemathesis.auth(refresh_interval=None)
class FreshConversation:
    """A conversation of its own for each request: what one left behind (an id, a budget) is not the next one's fault."""

    def get(self, case, context):
        body = json.dumps({"agent_id": AGENT}).encode()
        headers = {"Content-Type": "application/json", "Origin": BASE}
        request = urllib.request.Request(f"{BASE}/v1/widget/init", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["token"]

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Names the one agent, and leaves text/plain to tests/it: few texts that can be made up are JSON, as it must be."""
    schemas = raw_schema["components"]["schemas"]
    schemas["AgentId"]["enum"] = schemas["InitRequest"]["properties"]["agent_id"]["enum"] = [AGENT]
    for path in raw_schema["paths"].values():
        for operation in path.values():
            operation.get("requestBody", {}).get("content", {}).pop("text/plain", None)
