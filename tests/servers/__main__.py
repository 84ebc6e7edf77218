"""`make servers`: bring every real server into the cache. What is there already costs nothing."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time

from tests.servers.catalogue import SERVERS, Server


def main() -> int:
    """Exit 0 when everything that can be had is there, else 1 (0 with --if-possible)."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("--if-possible", action="store_true", help="say what is missing, and succeed anyhow")
    options = parser.parse_args()
    missing = [server for server in SERVERS if not _bring(server)]
    for server in missing:
        print(f"servers: {server.name} is not here, its tests will be skipped; {server.how_to_get}", flush=True)
    return 0 if options.if_possible or not missing else 1


def _bring(server: Server) -> bool:
    if server.path() is not None:
        return True
    if server.packages:
        return _install(server)
    if shutil.which(server.needs) is None:
        return False
    print(f"servers: building {server.name} {server.version}, a few minutes the first time", flush=True)
    started = time.monotonic()
    server.folder.mkdir(parents=True, exist_ok=True)
    command = [part.replace("{folder}", str(server.folder)) for part in server.build]
    done = subprocess.run(command, cwd=server.build_in, check=False)
    if done.returncode != 0:
        print(f"servers: building {server.name} failed with exit code {done.returncode}", file=sys.stderr, flush=True)
    else:
        print(f"servers: {server.name} is ready after {time.monotonic() - started:.0f} s", flush=True)
    return server.path() is not None


def _install(server: Server) -> bool:
    """From the system's packages: only where we may, and only in CI, since it changes the machine."""
    if not os.environ.get("CI") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", "--no-install-recommends", *server.packages]):
        if subprocess.run(command, env=quiet, check=False, stdout=subprocess.DEVNULL).returncode != 0:
            print(f"servers: {' '.join(command)} failed", file=sys.stderr, flush=True)
            return False
    return server.path() is not None


if __name__ == "__main__":
    sys.exit(main())
