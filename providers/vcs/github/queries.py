"""The GraphQL this adapter asks: everything about a change but its files in one query, and one more page of any of its lists.

Files come by REST, since GraphQL does not tell what a file was called before; stacks as well, since GraphQL knows none.
https://docs.github.com/en/graphql/reference/objects#pullrequest
"""

from __future__ import annotations

from collections.abc import Mapping

_PAGE = "totalCount pageInfo { hasNextPage endCursor }"
_SIGNED = "name email user { __typename login databaseId }"

ACTOR = """
fragment Account on Actor {
  __typename
  login
  ... on User { databaseId }
  ... on Bot { databaseId }
  ... on Mannequin { databaseId }
  ... on Organization { databaseId }
  ... on EnterpriseUserAccount { user { databaseId } }
}
"""

_NODES: Mapping[str, str] = {
    "labels": "name",
    "commits": f"""commit {{
        oid message committedViaWeb
        author {{ {_SIGNED} }}
        committer {{ {_SIGNED} }}
        signature {{ isValid }}
        parents(first: 100) {{ totalCount nodes {{ oid }} }}
    }}""",
    "reviews": "id state submittedAt commit { oid } author { ...Account }",
    "dismissals": "... on ReviewDismissedEvent { previousReviewState review { id } }",
    "reviewRequests": """requestedReviewer {
        __typename
        ... on User { login databaseId }
        ... on Bot { login databaseId }
        ... on Mannequin { login databaseId }
    }""",
    "comments": "body createdAt lastEditedAt author { ...Account }",
    "reviewThreads": "isResolved path",
}
_FIELDS: Mapping[str, str] = {"dismissals": "dismissals: timelineItems", **{name: name for name in _NODES if name != "dismissals"}}
_FILTERS: Mapping[str, str] = {"dismissals": "itemTypes: [REVIEW_DISMISSED_EVENT], "}
LISTS = tuple(_NODES)
"""Every list of a change that has pages."""

_CONTEXT = """
  __typename
  ... on StatusContext { context state targetUrl creator { ...Account } }
  ... on CheckRun {
    databaseId name status conclusion detailsUrl
    checkSuite { databaseId app { slug } }
  }
"""
MOMENT = "updatedAt headRefOid headRefName baseRefName isDraft state title changedFiles"
"""What has to be the same in each answer about one change."""


def _list(name: str, after: str = "") -> str:
    return f"{_FIELDS[name]}({_FILTERS.get(name, '')}first: 100{after}) {{ {_PAGE} nodes {{ {_NODES[name]} }} }}"


def _contexts(after: str = "") -> str:
    return f"statusCheckRollup {{ contexts(first: 100{after}) {{ {_PAGE} nodes {{ {_CONTEXT} }} }} }}"


CHANGE = f"""
query Change($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{
    databaseId
    nameWithOwner
    pullRequest(number: $number) {{
      {MOMENT}
      number url body createdAt merged mergeable isCrossRepository baseRefOid
      author {{ ...Account }}
      mergedBy {{ ...Account }}
      mergeCommit {{ oid }}
      headRepository {{ nameWithOwner }}
      baseRef {{ target {{ oid }} refUpdateRule {{ pattern }} rules(first: 1) {{ totalCount }} }}
      {" ".join(_list(name) for name in LISTS)}
      tip: commits(last: 1) {{ nodes {{ commit {{ oid {_contexts()} }} }} }}
    }}
  }}
}}
{ACTOR}
"""

NEXT_PAGE: Mapping[str, str] = {
    name: f"""
query Next($owner: String!, $name: String!, $number: Int!, $after: String!) {{
  repository(owner: $owner, name: $name) {{
    pullRequest(number: $number) {{ {MOMENT} {_list(name, ", after: $after")} }}
  }}
}}
{ACTOR if "...Account" in _NODES[name] else ""}
"""
    for name in LISTS
}

CHECKS = f"""
query Checks($owner: String!, $name: String!, $oid: GitObjectID!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    object(oid: $oid) {{ ... on Commit {{ {_contexts(", after: $after")} }} }}
  }}
}}
{ACTOR}
"""

FOLDER = """
query Folder($owner: String!, $name: String!, $oid: GitObjectID!, $path: String!) {
  repository(owner: $owner, name: $name) {
    object(oid: $oid) { ... on Commit { oid tree { oid } file(path: $path) { oid type } } }
  }
}
"""

GROUP = """
query Group($owner: String!, $name: String!, $branch: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    mergeQueue(branch: $branch) {
      entries(first: 100, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { headCommit { oid } baseCommit { oid } pullRequest { number } }
      }
    }
  }
}
"""


def blobs(count: int) -> str:
    """A query for the text of so many files at once: `$b0 … $bn`, answers `b0 … bn`."""
    names = [f"b{number}" for number in range(count)]
    variables = " ".join(f"${name}: GitObjectID!" for name in names)
    asked = " ".join(f"{name}: object(oid: ${name}) {{ ... on Blob {{ oid text isTruncated }} }}" for name in names)
    return f"query Blobs($owner: String!, $name: String!, {variables}) {{ repository(owner: $owner, name: $name) {{ {asked} }} }}"
