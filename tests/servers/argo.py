"""An Argo server on loopback, held to Argo's published API description: every request and every answer is checked against it.

The real one needs Kubernetes. This one keeps Workflows in memory, refuses a second one of a name as Kubernetes does, and
answers as Argo's server does where the description says nothing (which codes; what stopping does to an ended Workflow).
A request the description does not allow is answered with 500 and kept in `complaints`, which a test looks at in the end.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft4Validator

from tests.servers.need import need

NAMESPACE = "deploys"
TOKEN = "token-of-a-service-account"
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13}


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class ArgoServer:
    """templates: WorkflowTemplates of the namespace, each with the parameters it needs. token: what is taken now."""

    url: str = ""
    token: str = TOKEN
    templates: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"deploy": ()})
    workflows: dict[str, dict[str, Any]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, name: str, phase: str, message: str | None = None) -> None:
        """What the workflow controller does."""
        with self.lock:
            self.workflows[name]["status"] = {"phase": phase, **({"message": message} if message else {})}

    def delete(self, name: str) -> None:
        """Somebody does, or its time to live is over."""
        with self.lock:
            del self.workflows[name]

    # --- what is asked of it -----------------------------------------------------------------

    def answer(self, operation: str, where: Mapping[str, str], query: Mapping[str, str], body: Any) -> Any:
        if where.get("namespace", NAMESPACE) != NAMESPACE:
            raise Refused(403, f'Permission denied, you are not allowed to get workflows in namespace "{where["namespace"]}"')
        match operation:
            case "InfoService_GetVersion":
                names = ("buildDate", "compiler", "gitCommit", "gitTag", "gitTreeState", "goVersion", "platform")
                return {"version": "v3.7.4", **dict.fromkeys(names, "")}
            case "WorkflowTemplateService_ListWorkflowTemplates":
                return {"metadata": {}, "items": [self._template(name) for name in sorted(self.templates)]}
            case "WorkflowTemplateService_GetWorkflowTemplate":
                if where["name"] not in self.templates:
                    raise Refused(404, f'workflowtemplates.argoproj.io "{where["name"]}" not found')
                return self._template(where["name"])
            case "WorkflowService_SubmitWorkflow":
                return self._submit(body)
            case "WorkflowService_GetWorkflow":
                return _only(self._workflow(where["name"]), query.get("fields", ""))
            case "WorkflowService_StopWorkflow":
                return self._stop(where["name"])
        raise Refused(500, f"{operation} is not played here")

    def _submit(self, body: Any) -> Any:
        options = body["submitOptions"]
        parameters = dict(parameter.split("=", 1) for parameter in options["parameters"])
        if body["resourceName"] not in self.templates:
            raise Refused(400, f'templates.argoproj.io "{body["resourceName"]}" not found')
        for name in self.templates[body["resourceName"]]:
            if name not in parameters:
                raise Refused(400, f"spec.arguments.{name}.value is required")
        name = options["name"]
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
            raise Refused(400, f'Workflow.argoproj.io "{name}" is invalid: metadata.name')
        if name in self.workflows:
            raise Refused(409, f'workflows.argoproj.io "{name}" already exists')
        self.workflows[name] = {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "uid": f"uid-{len(self.workflows)}",
                "labels": dict(label.split("=", 1) for label in options["labels"].split(",")),
                "annotations": dict(note.split("=", 1) for note in options["annotations"].split(",")),
            },
            "spec": {
                "workflowTemplateRef": {"name": body["resourceName"]},
                "arguments": {"parameters": [{"name": name, "value": value} for name, value in parameters.items()]},
            },
            "status": {},
        }
        return self.workflows[name]

    def _stop(self, name: str) -> Any:
        workflow = self._workflow(name)
        if workflow["status"].get("phase") in {"Succeeded", "Failed", "Error"}:
            raise Refused(500, f'cannot shutdown a completed workflow: workflow: "{name}", namespace: "{NAMESPACE}"')
        workflow["spec"]["shutdown"] = "Stop"
        # the controller's part; in a cluster a moment later
        workflow["status"] = {"phase": "Failed", "message": "Stopped with strategy 'Stop'"}
        return workflow

    def _workflow(self, name: str) -> dict[str, Any]:
        if name not in self.workflows:
            raise Refused(404, f'workflows.argoproj.io "{name}" not found')
        return self.workflows[name]

    def _template(self, name: str) -> Any:
        return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"entrypoint": "main"}}


@contextmanager
def running_argo() -> Iterator[ArgoServer]:
    """Until the block ends, which fails if a request was not as described."""
    description = _description()
    argo = ArgoServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", "0")))
            with argo.lock:
                status, answer = _answered(argo, description, self.command, self.path, self.headers.get("authorization", ""), content)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        argo.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield argo
        finally:
            server.shutdown()
            thread.join()
    assert not argo.complaints, argo.complaints


def _answered(argo: ArgoServer, description: Description, method: str, target: str, authorization: str, content: bytes) -> tuple[int, Any]:
    """A request checked, carried out, and its answer checked."""
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    body = json.loads(content) if content else None
    try:
        operation, where = description.operation(method, parts.path)
        description.check_request(operation, query, body)
        if authorization != f"Bearer {argo.token}":
            raise Refused(401, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/")
        answer = argo.answer(operation["operationId"], where, query, body)
        description.check_answer(operation, "200", answer)
    except Refused as refused:
        answer = {"code": _CODES[refused.status], "message": str(refused)}
        description.check_answer(operation, "default", answer)
        return refused.status, answer
    except NotDescribed as problem:
        argo.complaints.append(f"{method} {target}: {problem}")
        return 500, {"code": 13, "message": str(problem)}
    return 200, answer


class NotDescribed(Exception):
    """The description has no such operation, parameter or shape."""


class Description:
    """A Swagger 2.0 document; an object may have no fields but those it names."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        for definition in document["definitions"].values():
            if "properties" in definition:
                definition.setdefault("additionalProperties", False)
        self._paths = [(re.compile("".join(_pattern(path))), operations) for path, operations in document["paths"].items()]

    def operation(self, method: str, path: str) -> tuple[dict[str, Any], Mapping[str, str]]:
        for pattern, operations in self._paths:
            found = pattern.fullmatch(path)
            if found and method.lower() in operations:
                return operations[method.lower()], {name: unquote(value) for name, value in found.groupdict().items()}
        raise NotDescribed("no such operation")

    def check_request(self, operation: Mapping[str, Any], query: Mapping[str, str], body: Any) -> None:
        parameters = operation.get("parameters", [])
        if unknown := query.keys() - {parameter["name"] for parameter in parameters if parameter["in"] == "query"}:
            raise NotDescribed(f"no query parameter {unknown}")
        [schema] = [parameter["schema"] for parameter in parameters if parameter["in"] == "body"] or [None]
        if (schema is None) != (body is None):
            raise NotDescribed("a body where there is none, or none where there is one")
        if schema is not None:
            self._check(schema, body)

    def check_answer(self, operation: Mapping[str, Any], status: str, body: Any) -> None:
        self._check(operation["responses"][status]["schema"], body)

    def _check(self, schema: Mapping[str, Any], value: Any) -> None:
        checked = Draft4Validator({**schema, "definitions": self._document["definitions"]})
        for problem in checked.iter_errors(value):
            raise NotDescribed(f"{problem.json_path}: {problem.message[:500]}")


@cache
def _description() -> Description:
    return Description(json.loads(need("argo-description").read_text()))


def _pattern(path: str) -> Iterator[str]:
    for piece in re.split(r"(\{[^}]+\})", path):
        yield f"(?P<{piece[1:-1].replace('.', '_')}>[^/]+)" if piece.startswith("{") else re.escape(piece)


def _only(value: dict[str, Any], fields: str) -> Any:
    """The fields asked for, `metadata.name,status.phase`; all of them when none is."""
    if not fields:
        return value
    chosen: dict[str, Any] = {"metadata": {}, "spec": {}}
    for path in fields.split(","):
        part, _, name = path.partition(".")
        if name in value.get(part, {}):
            chosen.setdefault(part, {})[name] = value[part][name]
    return chosen
