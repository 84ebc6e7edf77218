"""May ben deploy, whichever of his accounts he uses? In the words of the OpenID Authorization API (AuthZEN)."""

import json
import os
import urllib.request

question = {
    "subject": {"type": "user", "id": "hub/4711"},
    "action": {"name": "deployer"},
    "resource": {"type": "environment", "id": "production"},
}
request = urllib.request.Request(  # noqa: S310
    os.environ["ADMIT_URL"] + "/access/v1/evaluation",
    data=json.dumps(question).encode(),
    headers={"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['ADMIT_TOKEN']}"},
)
with urllib.request.urlopen(request) as answer:  # noqa: S310
    print(json.dumps(json.load(answer), indent=2))
