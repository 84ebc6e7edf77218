"""What `admit check` found, written for people, scripts and the CI systems that read JUnit, SARIF or GitHub's commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.cli.safe_text import one_line, xml_text
from gateway.domain.explanation import sentence, subject_of
from gateway.domain.record import Decision, decision_document
from policies import Location, Outcome
from policies.values import value


@value
class Checked:
    """One input: the decision on it, or why it could not be judged."""

    source: str
    result: Decision | str

    @property
    def outcome(self) -> Outcome:
        return self.result.outcome if isinstance(self.result, Decision) else Outcome.UNDECIDED


@value
class Reason:
    """One thing found, flattened for the formats that want lists of lines."""

    rule: str
    message: str
    remedy: str | None = None
    location: Location | None = None
    warning: bool = False


def exit_code(checked: Sequence[Checked]) -> int:
    """The worst: 0 admitted, 1 denied or held, 2 undecided or not judged. Nothing judged is 2."""
    codes = {Outcome.ADMITTED: 0, Outcome.DENIED: 1, Outcome.HELD: 1, Outcome.UNDECIDED: 2}
    return max((codes[one.outcome] for one in checked), default=2)


def render(output: str, checked: Sequence[Checked]) -> str:
    """`output`: text, json, junit, sarif or github."""
    writers: dict[str, Callable[[Sequence[Checked]], str]] = {
        "text": _text,
        "json": _json,
        "junit": _junit,
        "sarif": _sarif,
        "github": _github,
    }
    return writers[output](checked)


def reasons(checked: Checked) -> list[Reason]:
    """Everything that stands in the way, then the warnings."""
    if isinstance(checked.result, str):
        return [Reason(rule="input", message=checked.result)]
    verdict = checked.result.verdict
    found = [Reason(rule=str(v.policy), message=v.message, remedy=v.remedy, location=v.location) for v in verdict.violations]
    found += [Reason(rule=str(f.policy) if f.policy else f.reason.value, message=f.message) for f in verdict.faults]
    found += [Reason(rule=str(h.policy), message=h.message) for h in verdict.holds]
    found += [Reason(rule=str(w.policy), message=w.message, remedy=w.remedy, location=w.location, warning=True) for w in verdict.warnings]
    return found


def _text(checked: Sequence[Checked]) -> str:
    lines: list[str] = []
    for one in checked:
        decision = one.result
        what = subject_of(decision) if isinstance(decision, Decision) else one.source
        lines.append(f"{one.outcome.value.upper():<9} {one_line(what)}  ({one.source})")
        if isinstance(decision, Decision):
            lines.append(f"  {one_line(sentence(decision))}")
        for reason in reasons(one):
            lines.append(f"  {'~' if reason.warning else '-'} {one_line(reason.message)}  [{reason.rule}]")
            if reason.location:
                lines.append(f"      at {reason.location.path}" + (f":{reason.location.line}" if reason.location.line else ""))
            if reason.remedy:
                lines.append(f"      → {one_line(reason.remedy)}")
        if isinstance(decision, Decision):
            lines += [f"  . would {s.would.value}: {one_line(s.message)}  [{s.policy}]" for s in decision.verdict.dryrun]
    return "\n".join(lines) + "\n"


def _json(checked: Sequence[Checked]) -> str:
    """An array, a line for each decision: indenting takes most of the time a thousand of them take."""
    written = json.JSONEncoder(ensure_ascii=False).encode
    lines = [written({"source": one.source, **_document(one)}) for one in checked]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _document(one: Checked) -> Mapping[str, Any]:
    if isinstance(one.result, Decision):
        return decision_document(one.result)
    return {"outcome": one.outcome.value, "reason": one.result, "error": one.result}


def _junit(checked: Sequence[Checked]) -> str:
    from xml.etree import ElementTree

    failures = sum(one.outcome in (Outcome.DENIED, Outcome.HELD) for one in checked)
    errors = sum(one.outcome is Outcome.UNDECIDED for one in checked)
    suite = ElementTree.Element("testsuite", name="admit", tests=str(len(checked)), failures=str(failures), errors=str(errors))
    for one in checked:
        case = ElementTree.SubElement(suite, "testcase", classname="admit", name=xml_text(one.source))
        if one.outcome is not Outcome.ADMITTED:
            against = [reason for reason in reasons(one) if not reason.warning]
            tag = "error" if one.outcome is Outcome.UNDECIDED else "failure"
            element = ElementTree.SubElement(case, tag, type=one.outcome.value, message=xml_text(against[0].message if against else ""))
            element.text = xml_text("\n".join(f"{r.message} [{r.rule}]" + (f" → {r.remedy}" if r.remedy else "") for r in against))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _sarif(checked: Sequence[Checked]) -> str:
    """SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0)."""
    results = [_sarif_result(one, reason) for one in checked for reason in reasons(one)]
    rules = [{"id": rule} for rule in sorted({str(result["ruleId"]) for result in results})]
    driver = {"name": "admit", "rules": rules}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sarif_result(one: Checked, reason: Reason) -> dict[str, Any]:
    location = reason.location or Location(path=one.source)
    physical: dict[str, Any] = {"artifactLocation": {"uri": location.path}}
    if location.line:
        physical["region"] = {"startLine": location.line}
    text = reason.message + (f" → {reason.remedy}" if reason.remedy else "")
    return {
        "ruleId": reason.rule,
        "level": "warning" if reason.warning else "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": physical}],
    }


def _github(checked: Sequence[Checked]) -> str:
    """Workflow commands (docs.github.com/actions/reference/workflow-commands-for-github-actions)."""
    lines = []
    for one in checked:
        for reason in reasons(one):
            place = ""
            if reason.location:
                place = f"file={_property(reason.location.path)}," + (f"line={reason.location.line}," if reason.location.line else "")
            text = reason.message + (f" → {reason.remedy}" if reason.remedy else "")
            level = "warning" if reason.warning else "error"
            lines.append(f"::{level} {place}title={_property(one.outcome.value + ' by ' + reason.rule)}::{_data(text)}")
    return "\n".join(lines) + ("\n" if lines else "")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
