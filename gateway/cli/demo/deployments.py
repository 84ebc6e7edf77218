"""The demo's other half: workflows are submitted over HTTP, and run on a target in memory; one is admitted, one waits for ben."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import typer

from gateway.config import RelationsFile
from gateway.config_targets import MemorySettings
from gateway.config_workflows import WorkflowSettings
from gateway.running import Gateway

_PATIENCE = 60.0

SETTINGS: dict[str, Any] = {
    "relations": RelationsFile(file=Path(__file__).parent / "relations.yaml"),
    "targets": (MemorySettings(name="cluster", orchestrator="memory", workflows={"deploy": "deploy"}),),
    "workflows": (WorkflowSettings(name="deploy", targets=("cluster",)),),
}
"""What of the gateway's configuration this half needs."""


async def play_deployments(gateway: Gateway, url: str, *, number: int) -> None:
    """Two small stories, numbered from `number`."""
    async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE) as client:
        ana, ben = [await _person(gateway, name) for name in ("ana", "ben")]
        typer.echo(f"{number}. Ana asks for shop 1.4 to be deployed to staging.")
        await _told(client, await _submitted(client, ana, "staging"), ana, url)
        typer.echo(f"{number + 1}. And to production, where somebody else has a say: it waits until ben agrees.")
        held = await _submitted(client, ana, "production")
        typer.echo(f"{held['state'].upper()}  deploy on cluster: {held['decision']['reason']}")
        answer = await client.post(f"/v1/submissions/{held['id']}/approve", json={"reason": "tried on staging"}, headers=ben)
        answer.raise_for_status()
        await _told(client, held, ana, url)


async def _person(gateway: Gateway, name: str) -> dict[str, str]:
    _, text = await gateway.services.tokens.create(name, ["submitter", "reader"], by="the demo", actor=f"user:demo/{name}")
    return {"Authorization": f"Bearer {text}"}


async def _submitted(client: httpx.AsyncClient, by: dict[str, str], environment: str) -> dict[str, Any]:
    body = {"workflow": "deploy", "input": {"version": "1.4"}, "labels": {"environment": environment}}
    answer = await client.post("/v1/submissions", json=body, headers=by)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said


async def _told(client: httpx.AsyncClient, submission: dict[str, Any], by: dict[str, str], url: str) -> None:
    """How it ended."""
    answer = await client.get(f"/v1/submissions/{submission['id']}", params={"wait": f"{_PATIENCE:.0f}s"}, headers=by)
    answer.raise_for_status()
    ended = answer.json()
    agreed = "".join(f", {word['name']} {word['word']} it ({word['reason']})" for word in ended["approvals"])
    typer.echo(f"{ended['state'].upper()}  deploy on cluster: {ended['decision']['reason']}{agreed}")
    typer.echo(f"  Page: {url}/submissions/{ended['id']}\n")
