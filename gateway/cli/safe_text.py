"""Text of strangers (titles, messages, paths) made safe for where it is printed."""

from __future__ import annotations

import re
from functools import cache


@cache
def _not_xml() -> re.Pattern[str]:
    return re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def one_line(text: str) -> str:
    """Safe in a terminal: nothing a title holds can move the cursor or hide a line."""
    return "".join(character if character.isprintable() else " " for character in text)


def xml_text(text: str) -> str:
    """XML 1.0 cannot carry control characters at all (w3.org/TR/xml, section 2.2)."""
    return _not_xml().sub("\ufffd", text)
