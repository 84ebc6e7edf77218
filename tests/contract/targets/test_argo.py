"""A namespace of Argo Workflows sits the exam, on a loopback server held to Argo's published API description."""

from __future__ import annotations

import httpx
import pytest

from providers.errors import AccessRefused, NotFound, PermanentError, Unreachable
from providers.targets import RunState
from providers.targets.argo import ArgoTarget
from providers.targets.http import Token
from tests.contract.targets.exam import INPUT, TargetExam
from tests.contract.targets.faults import FaultExam
from tests.servers.argo import NAMESPACE, TOKEN, running_argo

PHASES = {RunState.SUCCEEDED: "Succeeded", RunState.FAILED: "Failed"}


class TestArgoTarget(TargetExam):
    @pytest.fixture
    def argo(self):
        with running_argo() as server:
            yield server

    @pytest.fixture
    def tokens(self):
        """What the file with the token holds, the newest last."""
        return [TOKEN]

    @pytest.fixture
    async def target(self, argo, tokens):
        target = ArgoTarget("cluster", url=argo.url, namespace=NAMESPACE, credentials=Token(lambda: tokens[-1]), timeout=240)
        yield target
        await target.close()

    @pytest.fixture
    def advance(self, argo):
        async def to(run_id, state):
            argo.advance(run_id, PHASES[state])

        return to

    async def test_input_becomes_parameters(self, target, argo, key):
        """Texts as they are, all else as JSON."""
        run = await target.start("deploy", key, INPUT)
        parameters = argo.workflows[run.id]["spec"]["arguments"]["parameters"]
        assert {parameter["name"]: parameter["value"] for parameter in parameters} == {
            "version": "1.2",
            "count": "3",
            "deep": '{"list":[1,null,"ü",true]}',
            "empty": "",
        }

    async def test_decision_stands_on_the_workflow(self, target, argo, key):
        """Its name is made of the key, which need not be a DNS label."""
        run = await target.start("deploy", key, {})
        assert argo.workflows[run.id]["metadata"]["annotations"] == {"admittance/decision": key}
        assert run.url == f"{argo.url}/workflows/{NAMESPACE}/{run.id}"

    @pytest.mark.parametrize(
        ("phase", "state"),
        [
            ("Pending", RunState.QUEUED),
            ("Running", RunState.RUNNING),
            ("Succeeded", RunState.SUCCEEDED),
            ("Failed", RunState.FAILED),
            ("Error", RunState.FAILED),
            ("Paused", RunState.UNKNOWN),
        ],
    )
    async def test_phases(self, target, argo, key, phase, state):
        """Every word of Argo's, and one it has not yet."""
        run = await target.start("deploy", key, {})
        argo.advance(run.id, phase, "child 'deploy' failed")
        seen = await target.status(run.id)
        assert (seen.state, seen.words, seen.message) == (state, phase, "child 'deploy' failed")

    async def test_input_that_does_not_fit_is_refused(self, target, argo, key):
        """In Argo's words; nobody tries it again for a day."""
        argo.templates["deploy"] = ("version",)
        with pytest.raises(PermanentError, match=r"version\.value is required"):
            await target.start("deploy", key, {})

    async def test_name_with_an_equals_sign_cannot_be_a_parameter(self, target, argo, key):
        """It would become another parameter's value."""
        with pytest.raises(PermanentError, match="a=b"):
            await target.start("deploy", key, {"a=b": "c"})
        assert argo.workflows == {}

    async def test_workflow_deleted_behind_our_back_is_not_found(self, target, argo, key):
        """By somebody, or by its time to live."""
        run = await target.start("deploy", key, {})
        argo.delete(run.id)
        with pytest.raises(NotFound):
            await target.status(run.id)
        assert await target.find("deploy", key) is None

    async def test_workflow_that_ends_while_it_is_being_stopped_stays_as_it_ended(self, target, argo, key, monkeypatch):
        """Argo refuses to stop it, with a 500; the next try finds that it has ended."""
        run = await target.start("deploy", key, {})
        looked = target.status

        async def ends_just_after(run_id):
            seen = await looked(run_id)
            argo.advance(run_id, "Succeeded")
            return seen

        monkeypatch.setattr(target, "status", ends_just_after)
        with pytest.raises(Unreachable, match="completed workflow"):
            await target.cancel(run.id)
        monkeypatch.undo()
        assert (await target.cancel(run.id)).state is RunState.SUCCEEDED

    async def test_token_replaced_in_its_file_is_used_from_then_on(self, target, argo, tokens, key):
        """Kubernetes gives service accounts a new one every hour; a run is watched for longer."""
        run = await target.start("deploy", key, {})
        argo.token = "the-next-token"
        with pytest.raises(AccessRefused, match="401"):
            await target.status(run.id)
        tokens.append("the-next-token")
        assert (await target.status(run.id)).id == run.id

    async def test_namespace_that_is_not_ours_is_refused(self, argo, key):
        """And named, also to `admit doctor`."""
        target = ArgoTarget("cluster", url=argo.url, namespace="other", credentials=Token(lambda: TOKEN), timeout=240)
        for call in (target.start("deploy", key, {}), target.probe()):
            with pytest.raises(AccessRefused, match="other"):
                await call
        await target.close()

    async def test_server_takes_nothing_that_is_not_described(self, argo):
        """What the exam rests on: a misspelt field, parameter or path would have been noticed."""
        async with httpx.AsyncClient(base_url=argo.url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
            submit = f"/api/v1/workflows/{NAMESPACE}/submit"
            options = {"name": "a", "parameters": [], "labels": "a=b", "annotations": "a=b"}
            tries = [
                await client.post(submit, json={"resourceName": "deploy", "submitOptions": {**options, "parameter": ["a=b"]}}),
                await client.post(submit, json={"resourceName": "deploy", "submitOptions": {**options, "parameters": {"a": "b"}}}),
                await client.get(f"/api/v1/workflows/{NAMESPACE}/a", params={"field": "spec"}),
                await client.get(f"/api/v1/workflow/{NAMESPACE}/a"),
                await client.put(f"/api/v1/workflows/{NAMESPACE}/a/stop"),
            ]
        assert [tried.status_code for tried in tries] == [500] * 5
        assert len(argo.complaints) == 5
        argo.complaints.clear()


class TestArgoFaults(FaultExam):
    @pytest.fixture
    def upstream(self):
        with running_argo() as server:
            yield server.url

    @pytest.fixture
    def behind(self):
        return lambda url, timeout: ArgoTarget("cluster", url=url, namespace=NAMESPACE, credentials=Token(lambda: TOKEN), timeout=timeout)
