"""GitLab's own published API client, as what the tests' GitLab and the adapter are held to.

GitLab's OpenAPI description is in no package registry. Its official Go client is (module `gitlab.com/gitlab-org/api/client-go`,
Apache-2.0): its types say which fields an answer may have and of which kind, its options which parameters may be sent, and
its `testdata` holds payloads of webhooks. It is read from the tests' cache, outside the tree.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.servers.catalogue import server

_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_GROUPED = re.compile(r"^\t(\w+) struct \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s+(\S+)\s+`([^`]*)`", re.MULTILINE)
_NAMES = re.compile(r"(?:json|url):\"([\w.\[\]]+)")
_EMBEDDED = re.compile(r"^\s*\*?(\w+)\s*$", re.MULTILINE)
_ALIAS = re.compile(r"^(?:type |\t)(\w+)\s+(string|int64|int|bool|float64|\[\]string)\s*$", re.MULTILINE)
_SAME = re.compile(r"^(?:type |\t)(\w+) (List\w+Options)$", re.MULTILINE)
_PAGING = frozenset({"page", "per_page", "order_by", "sort", "pagination"})

TYPES: Mapping[str, tuple[str, str]] = {
    "GET /user": ("User", ""),
    "GET /users": ("User", "ListUsersOptions"),
    "GET /metadata": ("Metadata", ""),
    "GET /personal_access_tokens/self": ("PersonalAccessToken", ""),
    "GET /projects": ("Project", "ListProjectsOptions"),
    "GET /projects/:id": ("Project", "GetProjectOptions"),
    "PUT /projects/:id": ("Project", "EditProjectOptions"),
    "GET /projects/:id/members/all": ("ProjectMember", "ListProjectMembersOptions"),
    "GET /groups/:id": ("Group", "GetGroupOptions"),
    "GET /groups/:id/members": ("GroupMember", "ListGroupMembersOptions"),
    "GET /groups/:id/members/all": ("GroupMember", "ListGroupMembersOptions"),
    "GET /groups/:id/descendant_groups": ("Group", "ListDescendantGroupsOptions"),
    "GET /projects/:id/repository/branches/:branch": ("Branch", ""),
    "GET /projects/:id/repository/commits": ("Commit", "ListCommitsOptions"),
    "GET /projects/:id/repository/commits/:sha": ("Commit", "GetCommitOptions"),
    "GET /projects/:id/repository/merge_base": ("Commit", "MergeBaseOptions"),
    "GET /projects/:id/repository/tree": ("TreeNode", "ListTreeOptions"),
    "GET /projects/:id/repository/commits/:sha/statuses": ("CommitStatus", "GetCommitStatusesOptions"),
    "POST /projects/:id/statuses/:sha": ("CommitStatus", "SetCommitStatusOptions"),
    "GET /projects/:id/merge_requests": ("BasicMergeRequest", "ListProjectMergeRequestsOptions"),
    "GET /projects/:id/merge_requests/:iid": ("MergeRequest", "GetMergeRequestsOptions"),
    "GET /projects/:id/merge_requests/:iid/diffs": ("MergeRequestDiff", "ListMergeRequestDiffsOptions"),
    "GET /projects/:id/merge_requests/:iid/approvals": ("MergeRequestApprovals", ""),
    "GET /projects/:id/merge_requests/:iid/reviewers": ("MergeRequestReviewer", ""),
    "GET /projects/:id/merge_requests/:iid/versions": ("MergeRequestDiffVersion", "GetMergeRequestDiffVersionsOptions"),
    "GET /projects/:id/merge_requests/:iid/discussions": ("Discussion", "ListMergeRequestDiscussionsOptions"),
    "GET /projects/:id/merge_requests/:iid/blocks": ("MergeRequestDependency", ""),
    "GET /projects/:id/merge_requests/:iid/pipelines": ("PipelineInfo", ""),
    "GET /projects/:id/pipelines": ("PipelineInfo", "ListProjectPipelinesOptions"),
    "GET /projects/:id/merge_trains/:branch": ("MergeTrain", "ListMergeTrainsOptions"),
    "PUT /projects/:id/merge_requests/:iid/merge": ("MergeRequest", "AcceptMergeRequestOptions"),
    "POST /projects/:id/merge_trains/merge_requests/:iid": ("MergeTrain", "AddMergeRequestToMergeTrainOptions"),
    "GET /projects/:id/hooks": ("ProjectHook", "ListProjectHooksOptions"),
    "POST /projects/:id/hooks": ("ProjectHook", "AddProjectHookOptions"),
    "GET /projects/:id/protected_branches": ("ProtectedBranch", "ListProtectedBranchesOptions"),
    "GET /projects/:id/protected_branches/:name": ("ProtectedBranch", ""),
    "POST /projects/:id/protected_branches": ("ProtectedBranch", "ProtectRepositoryBranchesOptions"),
    "PATCH /projects/:id/protected_branches/:name": ("ProtectedBranch", "UpdateProtectedBranchOptions"),
    "GET /projects/:id/external_status_checks": ("ProjectStatusCheck", "ListProjectExternalStatusChecksOptions"),
    "POST /projects/:id/external_status_checks": ("ProjectStatusCheck", "CreateProjectExternalStatusCheckOptions"),
    "PUT /projects/:id/external_status_checks/:check": ("ProjectStatusCheck", "UpdateProjectExternalStatusCheckOptions"),
    "GET /projects/:id/merge_requests/:iid/status_checks": ("MergeStatusCheck", ""),
    "POST /projects/:id/merge_requests/:iid/status_check_responses": ("", "SetProjectMergeRequestExternalStatusCheckStatusOptions"),
}
"""What each endpoint answers with and takes, by the client's names."""
DOCUMENTED: Mapping[str, frozenset[str]] = {
    "Project": frozenset({"only_allow_merge_if_all_status_checks_passed"}),
    "EditProjectOptions": frozenset({"only_allow_merge_if_all_status_checks_passed"}),
    "ListCommitsOptions": frozenset({"order"}),
}
"""What GitLab's documentation of the API names and its client leaves out."""
UNHELD: frozenset[str] = frozenset(
    {
        "GET /projects/:id/repository/blobs/:sha",  # the client leaves this answer untyped
        "GET /projects/:id/repository/tags/:tag",
        "DELETE /projects/:id/hooks/:hook",
    }
)


def client_folder() -> Path | None:
    """Where the client's sources lie, if they are here."""
    found = server("gitlab-client").path()
    return found.parent if found is not None else None


@functools.cache
def contract() -> Contract | None:
    """What the client knows; None where it cannot be had (a test says so aloud)."""
    folder = client_folder()
    if folder is None:
        return None
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.go")) if not path.name.endswith("_test.go"))
    structs = dict(_GROUPED.findall(text)) | dict(_STRUCT.findall(text))
    structs |= {name: structs[other] for name, other in _SAME.findall(text) if other in structs}
    return Contract(structs=structs, aliases=dict(_ALIAS.findall(text)))


@dataclass(frozen=True, slots=True)
class Contract:
    """structs: name → the lines between its braces. aliases: name → the plain type it stands for."""

    structs: Mapping[str, str]
    aliases: Mapping[str, str]
    _known: dict[str, dict[str, str]] = field(default_factory=dict)

    def fields(self, name: str) -> dict[str, str]:
        """JSON name → Go type of a struct, of what it embeds too."""
        if name not in self._known:
            self._known[name] = self._fields(name)
        return self._known[name]

    def _fields(self, name: str) -> dict[str, str]:
        body = self.structs[name]
        found: dict[str, str] = {}
        for embedded in _EMBEDDED.findall(body):
            if embedded in self.structs:
                found |= self.fields(embedded)
        for line in body.splitlines():
            match = _FIELD.match(line)
            if match is not None:
                found |= dict.fromkeys(_NAMES.findall(match.group(3)), match.group(2))
        return found

    def violations(self, route: str, query: Mapping[str, str], body: Mapping[str, Any], answer: Any) -> list[str]:
        """What the client does not know of a request and its answer."""
        if route in UNHELD:
            return []
        returned, options = TYPES[route]
        found = []
        if returned and answer is not None:
            for item in answer if isinstance(answer, list) else [answer]:
                found += [f"{route} answers {problem}" for problem in self.problems(item, returned, "")]
        known = (self.fields(options) | dict.fromkeys(DOCUMENTED.get(options, ()), "")) if options else {}
        sent = set(query) - _PAGING if route.startswith("GET") else set(body)
        found += [f"{route} is sent {name}" for name in sorted(sent - set(known))]
        if not route.startswith("GET"):
            found += [f"{route} is sent {p}" for n in sorted(sent & set(known)) for p in self._typed(body[n], known[n], n)]
        return found

    def problems(self, value: Any, struct: str, where: str) -> list[str]:
        """Fields of an object that the struct does not have, or has of another type."""
        if not isinstance(value, dict):
            return [f"{where or struct}: expected an object"]
        known = self.fields(struct) | dict.fromkeys(DOCUMENTED.get(struct, ()), "")
        found = [f"{where}.{name}, which {struct} does not have" for name in value if name not in known]
        for name, kind in known.items():
            if name in value:
                found += self._typed(value[name], kind, f"{where}.{name}")
        return found

    def _typed(self, value: Any, kind: str, where: str) -> list[str]:
        kind = kind.lstrip("*")
        if value is None:
            return []
        if kind.startswith("[]"):
            items = value if isinstance(value, list) else []
            wrong = [] if isinstance(value, list) else [f"{where}: expected a list"]
            return wrong + [problem for item in items for problem in self._typed(item, kind[2:], where)]
        kind = self.aliases.get(kind, kind).removeprefix("gitlab.")
        if kind == "[]string" or kind in ("Labels", "LabelOptions"):
            return [] if isinstance(value, list) else [f"{where}: expected a list"]
        if kind in self.structs and kind not in ("ISOTime",):
            return self.problems(value, kind, where)
        plain: dict[str, tuple[type, ...]] = {
            "string": (str,),
            "int64": (int,),
            "int": (int,),
            "bool": (bool,),
            "float64": (int, float),
            "time.Time": (str, datetime),
            "ISOTime": (str,),
        }
        expected = plain.get(kind)
        if expected is None:
            return []
        right = isinstance(value, expected) and (bool in expected or not isinstance(value, bool))
        return [] if right else [f"{where}: expected {kind}, found {type(value).__name__}"]
