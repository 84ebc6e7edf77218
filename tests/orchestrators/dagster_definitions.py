"""Jobs of Dagster's users. Read by Dagster, in an environment of its own."""

import time
from pathlib import Path

import dagster as dg


@dg.op(config_schema={"version": dg.Field(str), "end": dg.Field(str, default_value="well")})
def replace(context: dg.OpExecutionContext) -> str:
    """end: well, badly, or when a file of that name is there."""
    end = context.op_config["end"]
    if end == "badly":
        raise dg.Failure("the new version does not answer")
    while end != "well" and not Path(end).exists():
        time.sleep(0.2)
    return str(context.op_config["version"])


@dg.job(executor_def=dg.in_process_executor)
def roll_out() -> None:
    replace()


@dg.op(config_schema=dg.Permissive())
def nothing() -> None:
    return None


@dg.job(executor_def=dg.in_process_executor, tags={"waits": "for ever"})
def deploy() -> None:
    """Its runs stay queued until somebody ends them: no run with that tag may begin here."""
    nothing()


defs = dg.Definitions(jobs=[deploy, roll_out])
