"""What goes wrong between us and a Temporal cluster: nobody there, silence, a lost answer, keys and certificates."""

from __future__ import annotations

import socket
import uuid

import pytest

from gateway.config_targets import TemporalSettings
from gateway.operations.judge import new_decision_id
from gateway.wiring_targets import build_target
from providers.errors import AccessRefused, Unreachable
from providers.targets import RunKey
from tests.servers.relay import relay_to
from tests.servers.temporal import session_temporal
from tests.servers.temporal_tls import Authority, behind_tls

pytestmark = pytest.mark.anyio


@pytest.fixture
def key():
    return RunKey(new_decision_id())


def a_target(address, **settings):
    """As configured in admit.yaml."""
    wanted = {"name": "prod", "orchestrator": "temporal", "address": address, "task_queue": uuid.uuid4().hex, "workflows": ["deploy"]}
    return build_target(TemporalSettings.model_validate({**wanted, "timeout": 60, **settings}))


def calls(target, key):
    return (target.start("deploy", key, {}), target.find("deploy", key), target.status(key), target.cancel(key), target.probe())


async def test_cluster_that_is_down_is_unreachable(key):
    """Nobody listens there; when somebody does, it is as if nothing had been."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        target = a_target(address)
        for call in calls(target, key):
            with pytest.raises(Unreachable, match=address):
                await call
        await target.close()


async def test_silent_cluster_is_unreachable_and_the_same_target_goes_on_when_it_speaks(key):
    """Within the time the target is given; a start that was held back all the while is one run in the end."""
    with relay_to(f"http://{session_temporal()}") as relay:
        target = a_target(relay.url.removeprefix("http://"), timeout=0.2)
        relay.hold()
        for call in calls(target, key):
            with pytest.raises(Unreachable):
                await call
        relay.release()
        patient = a_target(relay.url.removeprefix("http://"))
        run = await patient.start("deploy", key, {})
        assert (await patient.find("deploy", key)).id == run.id
        for each in (target, patient):
            await each.close()


async def test_cluster_that_asks_for_certificates_gets_them(tmp_path, key):
    """Mutual TLS; a stranger's, or none, is not let in, and nothing is sent in clear."""
    authority = Authority(tmp_path)
    certificate, secret = authority.issue("gate")
    async with behind_tls(authority) as address:
        tls = {"ca": authority.ca, "certificate": certificate, "key": f"file:{secret}", "server_name": "temporal.test"}
        known = a_target(address, tls=tls)
        assert (await known.start("deploy", key, {})).id == key
        for credentials in ({}, {"tls": True}, {"tls": {"ca": authority.ca, "server_name": "temporal.test"}}):
            stranger = a_target(address, **credentials)
            with pytest.raises(Unreachable):
                await stranger.status(key)
            await stranger.close()
        await known.close()


async def test_certificate_renewed_in_its_file_is_used_for_the_next_connection(tmp_path, key):
    """One of another authority is refused; put right, the same target is let in."""
    ours, others = Authority(tmp_path), Authority(_folder(tmp_path, "others"))
    certificate, secret = (path.rename(tmp_path / f"mine{path.suffix}") for path in others.issue("gate"))
    async with behind_tls(ours) as address:
        tls = {"ca": ours.ca, "certificate": certificate, "key": f"file:{secret}", "server_name": "temporal.test"}
        target = a_target(address, tls=tls)
        with pytest.raises(Unreachable):
            await target.start("deploy", key, {})
        for fresh, old in zip(ours.issue("gate"), (certificate, secret), strict=True):
            fresh.rename(old)
        assert (await target.start("deploy", key, {})).id == key
        await target.close()


async def test_certificate_that_is_gone_is_named(tmp_path, key):
    """Permanent: somebody has to put it there."""
    target = a_target("127.0.0.1:1", tls={"ca": tmp_path / "nowhere.pem"})
    with pytest.raises(AccessRefused, match=r"nowhere\.pem cannot be read"):
        await target.start("deploy", key, {})
    await target.close()


async def test_api_key_goes_encrypted_and_is_told_to_nobody(tmp_path, key):
    """With a key, TLS is on although nothing says so: a server without it is not reached."""
    secret = tmp_path / "key"
    secret.write_text("canary-4711")
    target = a_target(session_temporal(), api_key=f"file:{secret}")
    with pytest.raises(Unreachable) as refused:
        await target.start("deploy", key, {})
    assert "canary" not in str(refused.value)
    await target.close()
    plain = a_target(session_temporal(), api_key=f"file:{secret}", tls=False)
    assert (await plain.start("deploy", key, {})).id == key
    secret.unlink()
    with pytest.raises(AccessRefused, match="cannot be read"):
        await plain.status(key)
    await plain.close()


async def test_api_key_replaced_in_its_file_is_sent_from_then_on(tmp_path, key):
    """While a run is watched, on the same connection."""
    secret = tmp_path / "key"
    secret.write_text("old")
    target = a_target(session_temporal(), api_key=f"file:{secret}", tls=False)
    run = await target.start("deploy", key, {})
    secret.write_text("new")
    assert (await target.status(run.id)).id == run.id
    async with target._cluster.client("look") as client:
        assert client.api_key == "new"
    await target.close()


def _folder(parent, name):
    (parent / name).mkdir()
    return parent / name
