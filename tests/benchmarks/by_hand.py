"""What a team would write by hand instead of this gateway, as good as such a thing gets: the baseline of the benchmarks.

`POST /judge`: ask an OPA server over REST and three relationships of OpenFGA in one BatchCheck, side by side; keep one row
with its own commit; answer. `POST /webhook`: check the HMAC, keep the body with group commit, acknowledge. By aiohttp, which is
the faster of the two clients people use.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sqlite3
import time
from typing import Any

import aiohttp
from fastapi import FastAPI, Request, Response

app = FastAPI()
database = sqlite3.connect(os.environ["BY_HAND_DATABASE"], isolation_level=None, check_same_thread=False)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=FULL")
database.execute("CREATE TABLE IF NOT EXISTS decision (id INTEGER PRIMARY KEY, at REAL, input BLOB, deny TEXT)")
database.execute("CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY, at REAL, body BLOB)")
opa = os.environ.get("BY_HAND_OPA", "http://127.0.0.1:8181")
openfga = os.environ.get("BY_HAND_OPENFGA", "")  # …/stores/{id}
model = os.environ.get("BY_HAND_MODEL", "")
consistency = os.environ.get("BY_HAND_CONSISTENCY", "HIGHER_CONSISTENCY")
client: list[aiohttp.ClientSession] = []
secret = os.environ.get("BY_HAND_SECRET", "").encode()
waiting: list[tuple[bytes, asyncio.Future[None]]] = []


@app.on_event("startup")
async def start() -> None:
    client.append(aiohttp.ClientSession())


@app.on_event("shutdown")
async def stop() -> None:
    await client[0].close()


async def ask(url: str, question: object) -> dict[str, Any]:
    async with client[0].post(url, json=question) as answer:
        answer.raise_for_status()
        return await answer.json()


@app.post("/judge")
async def judge(request: Request) -> Response:
    body = await request.body()
    document = json.loads(body)
    change = document["change"]
    pairs = [(change["author"]["ref"], "writer"), (change["reviews"][0]["user"]["ref"], "owner"), (change["author"]["ref"], "owner")]
    checks = [
        {"tuple_key": {"user": user, "relation": relation, "object": change["repository"]["ref"]}, "correlation_id": str(place)}
        for place, (user, relation) in enumerate(pairs)
    ]
    rules, related = await asyncio.gather(
        ask(f"{opa}/v1/data/bench/deny?strict-builtin-errors=true", {"input": document}),
        ask(f"{openfga}/batch-check", {"checks": checks, "authorization_model_id": model, "consistency": consistency}),
    )
    allowed = [related["result"][str(place)].get("allowed", False) for place in range(3)]
    deny = [*rules["result"], *([] if allowed[0] else ["the author may not write"]), *([] if allowed[1] else ["no owner approved"])]
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO decision (at, input, deny) VALUES (?, ?, ?)", (time.time(), body, json.dumps([deny, allowed])))
    database.execute("COMMIT")
    return Response(json.dumps({"outcome": "denied" if deny else "admitted", "deny": deny}), media_type="application/json")


@app.post("/webhook")
async def webhook(request: Request) -> Response:
    body = await request.body()
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-gitea-signature", "")):
        return Response(status_code=401)
    kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.append((body, kept))
    if len(waiting) == 1:
        asyncio.get_running_loop().call_soon(commit)
    await kept
    return Response("{}", status_code=202, media_type="application/json")


def commit() -> None:
    group = waiting.copy()
    waiting.clear()
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO delivery (at, body) VALUES (?, ?)", [(time.time(), body) for body, _ in group])
    database.execute("COMMIT")
    for _, kept in group:
        kept.set_result(None)
