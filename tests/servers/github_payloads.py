"""Every delivery GitHub publishes as an example (npm `@octokit/webhooks-examples`), as it is taken from the cache."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

from providers.vcs.signatures import sign
from tests.servers.need import need


@dataclass(frozen=True, slots=True)
class Example:
    """One delivery's event and payload."""

    number: int
    event: str
    payload: dict[str, Any]

    @property
    def action(self) -> str | None:
        return self.payload.get("action")

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()

    def headers(self, secret: str) -> dict[str, str]:
        """As GitHub sends them, signed."""
        return github_headers(self.event, self.body, secret, delivery=f"example-{self.number}")


def github_headers(event: str, body: bytes, secret: str, *, delivery: str = "0b989ba4-242f-11e5-81e1-c7b6966d2516") -> dict[str, str]:
    """What GitHub sends with a delivery."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": "292430182",
        "X-Hub-Signature-256": f"sha256={sign(secret, body)}",
    }


@functools.cache
def published_examples() -> tuple[Example, ...]:
    """All of them, numbered in the package's order."""
    found = json.loads(need("github-payloads").read_text())
    payloads = [(kind["name"], payload) for kind in found for payload in kind["examples"]]
    return tuple(Example(number, event, payload) for number, (event, payload) in enumerate(payloads))
