"""What is asked, for the clients in Python: the address and the options of a request."""

import os

BASE = os.environ["BASE"]
URL = f"{BASE}/v1/widget/messages/stream"
HEADERS = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Origin": BASE}
BODY = {"content": os.environ["QUESTION"]}
