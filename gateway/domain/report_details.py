"""What a status says where a forge has room for more than a line: each reason, what to do about it, and where it stands.

Written as Markdown, though no word of a policy or a change is taken for Markdown, for a mention or for HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.domain.explanation import sentence
from gateway.domain.record import Decision
from policies import Violation, Warning
from providers.vcs import Annotation

MOST_REASONS = 100
"""Of each kind that are listed; the decision's page has all."""
_MEANING = re.compile(r"([\\`*_{}\[\]()<>#+!|~-])")


def summary_of(decision: Decision) -> str:
    """The decision in a sentence, then its reasons."""
    lines = [plain(sentence(decision)), *_listed("Against it", [_reason(one) for one in decision.verdict.violations])]
    lines += _listed("Waits for", [plain(hold.message) for hold in decision.verdict.holds])
    lines += _listed("Could not be decided", [plain(fault.message) for fault in decision.verdict.faults])
    lines += _listed("Worth knowing", [_reason(one) for one in decision.verdict.warnings])
    return "\n".join(lines)


def annotations_of(decision: Decision) -> tuple[Annotation, ...]:
    """Every reason that names a place, at its line; at the first where only the file is named."""
    reasons: list[Violation | Warning] = [*decision.verdict.violations, *decision.verdict.warnings]
    return tuple(
        Annotation(path=one.location.path, line=one.location.line or 1, message=_message(one), against=isinstance(one, Violation))
        for one in reasons
        if one.location is not None
    )


def plain(text: str) -> str:
    """One line that reads the same when it is shown as Markdown."""
    return _MEANING.sub(r"\\\1", " ".join(text.split())).replace("@", "&#64;")


def _listed(title: str, reasons: list[str]) -> Iterator[str]:
    if reasons:
        yield from ("", f"**{title}**", "", *(f"- {reason}" for reason in reasons[:MOST_REASONS]))
    if len(reasons) > MOST_REASONS:
        yield f"- and {len(reasons) - MOST_REASONS} more"


def _reason(one: Violation | Warning) -> str:
    place = f" ({plain(one.location.path)}{f':{one.location.line}' if one.location.line else ''})" if one.location else ""
    return plain(one.message) + place + (f": {plain(one.remedy)}" if one.remedy else "")


def _message(one: Violation | Warning) -> str:
    return one.message + (f"\n{one.remedy}" if one.remedy else "")
