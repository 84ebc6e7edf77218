"""The starters as their tests see them: read and checked as any bundle is, and one embedded engine that holds them all."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from opa_bindings import OpaError

from policies.bundles.cases import read_cases
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_folder
from policies.engines import ADMIT_MODULE
from policies.engines.opa_library import OpaLibrary
from policies.model import Outcome

FOLDER = Path(__file__).parents[3] / "policies" / "starters"
FOLDERS = sorted(manifest.parent for manifest in FOLDER.glob("*/bundle.yaml"))


def checked_starters():
    """Every starter with its cases, through the checks every bundle has to pass (its tests are run elsewhere)."""

    async def check():
        engine = OpaLibrary()
        try:
            return [await checked_bundle(read_folder(folder), engine, run_tests=False) for folder in FOLDERS]
        finally:
            await engine.close()

    return [(bundle, read_cases(bundle)) for bundle in asyncio.run(check())]


def modules_of(*bundles):
    """The Rego of these bundles, each in a folder of its own."""
    return {f"{bundle.name}/{path}": text for bundle in bundles for path, text in bundle.modules.items()}


class Evaluator:
    """Evaluates documents by a policy in this process: no workers, no walls, only fast."""

    def __init__(self, engine, modules):
        self.engine = engine
        for path, text in {"admit.rego": ADMIT_MODULE, **modules}.items():
            engine.add_policy(path, text)

    def outcome(self, policy, document, related):
        """What the policy says of the document, its questions answered from `related`; a fault is undecided."""
        return self.judged(policy, document, related)[1]

    def judged(self, policy, document, related):
        """The document with its questions answered, and the outcome."""
        relations = {}
        try:
            for question in self.items(policy, "questions", document):
                row = relations.setdefault(question["object"], {}).setdefault(question["relation"], {})
                row[question["user"]] = any(question == {"user": r.user, "relation": r.relation, "object": r.object} for r in related)
            document = {**document, "relations": relations}
            if self.items(policy, "deny", document):
                return document, Outcome.DENIED
            return document, Outcome.HELD if self.items(policy, "hold", document) else Outcome.ADMITTED
        except (OpaError, TypeError):
            # TypeError: a question that is not made of texts cannot be asked.
            return {**document, "relations": relations}, Outcome.UNDECIDED

    def items(self, policy, rule, document):
        """A rule's set, empty where the policy has no such rule."""
        if rule not in policy.rules:
            return []
        return self.engine.eval_query(f"found := data.{policy.id.package}.{rule}", document)[0]["found"]


def read_by(bundle):
    """What the bundle's policy reads of the input, as paths of one or two steps: starters name their facts in full."""
    text = "\n".join(bundle.modules.values())
    return {
        tuple(path.split(".")) for path in re.findall(r"\binput\.((?:change|workflow|parameters)\.\w+|code_owners|subject|time)\b", text)
    }


def document_of(policy, case):
    """The input as the policy sees it, before relations are answered."""
    return {**case.request.document(), "parameters": dict(policy.parameters)}
