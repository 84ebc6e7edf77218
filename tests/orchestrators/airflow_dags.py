"""DAGs of Airflow's users. Read by Airflow, in an environment of its own."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from airflow.exceptions import AirflowFailException
from airflow.sdk import Param, dag, get_current_context, task


@dag(dag_id="deploy", schedule=None, is_paused_upon_creation=True)
def deploy() -> None:
    """Paused: its runs stay queued until somebody sets them to something else."""

    @task
    def nothing() -> None:
        return None

    nothing()


@dag(
    dag_id="roll_out",
    schedule=None,
    is_paused_upon_creation=False,
    params={"version": Param(type="string"), "end": Param("well", type="string")},
    dagrun_timeout=timedelta(minutes=10),
)
def roll_out() -> None:
    """end: well, badly, or when a file of that name is there."""

    @task
    def replace() -> str:
        conf = get_current_context()["params"]
        if conf["end"] == "badly":
            raise AirflowFailException("the new version does not answer")
        while conf["end"] != "well" and not Path(conf["end"]).exists():
            time.sleep(0.2)
        return str(conf["version"])

    replace()


deploy()
roll_out()
