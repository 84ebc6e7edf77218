"""`admit`, but it ends itself as `kill -9` would: right after a commit, before anybody hears of it.

Commits are counted from the one that keeps the first delivery about a change. `ADMIT_DIES_AFTER`: at which it dies.
`ADMIT_COUNTS_IN`: a file with one byte for each. The product knows nothing of this: its writer is wrapped here.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from gateway.cli import main
from gateway.storage.sql import deliveries
from gateway.storage.writer import Writer


def wrap(dies_after: int, counts_in: str) -> None:
    """Count, and die."""
    counted: list[int] = []
    keep, run = deliveries.record_deliveries, Writer._on

    def kept(connection: Any, arrived: Any, **more: Any) -> Any:
        if not counted and any(dispatch.workflow_type == "judge_change" for each in arrived for dispatch in each.dispatches):
            counted.append(0)
        return keep(connection, arrived, **more)

    def ran(self: Writer, *group: Any) -> Any:
        outcomes = run(self, *group)
        if counted:
            counted[0] += 1
            with open(counts_in, "ab") as file:
                file.write(b".")
            if counted[0] == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)
        return outcomes

    deliveries.record_deliveries = kept
    Writer._on = ran  # type: ignore[method-assign]


if __name__ == "__main__":
    wrap(int(os.environ["ADMIT_DIES_AFTER"]), os.environ["ADMIT_COUNTS_IN"])
    main()
