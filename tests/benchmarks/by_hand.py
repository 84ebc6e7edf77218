"""What a team would write by hand instead of this gateway, as good as such a thing gets: the baseline of the benchmarks.

`POST /judge`: ask an OPA server over REST, keep one row, answer. `POST /webhook`: check the HMAC, keep the body with group
commit, acknowledge.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sqlite3
import time

import httpx
from fastapi import FastAPI, Request, Response

app = FastAPI()
database = sqlite3.connect(os.environ["BY_HAND_DATABASE"], isolation_level=None, check_same_thread=False)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=FULL")
database.execute("CREATE TABLE IF NOT EXISTS decision (id INTEGER PRIMARY KEY, at REAL, input BLOB, deny TEXT)")
database.execute("CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY, at REAL, body BLOB)")
opa = httpx.AsyncClient(base_url=os.environ.get("BY_HAND_OPA", "http://127.0.0.1:8181"))
secret = os.environ.get("BY_HAND_SECRET", "").encode()
waiting: list[tuple[bytes, asyncio.Future[None]]] = []


@app.post("/judge")
async def judge(request: Request) -> Response:
    body = await request.body()
    document = json.loads(body)
    answer = await opa.post("/v1/data/bench/deny?strict-builtin-errors=true", json={"input": document})
    deny = answer.json()["result"]
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO decision (at, input, deny) VALUES (?, ?, ?)", (time.time(), body, json.dumps(deny)))
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
