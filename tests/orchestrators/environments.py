"""One Python environment for each orchestrator, in the cache outside the tree: `python -m tests.orchestrators.environments`."""

from __future__ import annotations

import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.servers.catalogue import CACHE


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """requirements: what pip is asked for. It is made anew when they change."""

    name: str
    version: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.name}-{self.version}"

    def command(self, name: str) -> str:
        """A program of the environment, made when it is not there."""
        self.make()
        return str(self.folder / "bin" / name)

    def make(self) -> None:
        """Raises CalledProcessError when pip does not succeed."""
        stamp, wanted = self.folder / ".installed", "\n".join(self.requirements)
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        started = time.monotonic()
        print(f"orchestrators: installing {self.name} {self.version} into {self.folder}", flush=True)
        venv.create(self.folder, with_pip=True, clear=True)
        install = [self.folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.requirements]
        subprocess.run(install, check=True)
        stamp.write_text(wanted)
        print(f"orchestrators: {self.name} is ready after {time.monotonic() - started:.0f} s", flush=True)


AIRFLOW = Environment(name="airflow", version="3.1.8", requirements=("apache-airflow==3.1.8",))
# the cap: this Prefect imports what later FastAPIs no longer have
PREFECT = Environment(name="prefect", version="3.8.8", requirements=("prefect==3.8.8", "fastapi<0.140"))
DAGSTER = Environment(name="dagster", version="1.13.27", requirements=("dagster==1.13.27", "dagster-webserver==1.13.27"))


if __name__ == "__main__":
    for environment in (AIRFLOW, PREFECT, DAGSTER):
        environment.make()
    sys.exit(0)
