"""A real PostgreSQL on loopback, with a database for each test."""

from __future__ import annotations

import functools
import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.servers.database_server import DatabaseServer, until_exit
from tests.servers.need import need


@contextmanager
def fresh_postgresql() -> Iterator[str]:
    """The URL of an empty database on the session's server. Skips loudly where there is no PostgreSQL."""
    need("postgresql")
    with _session_server().fresh() as url:
        yield url


@functools.cache
def _session_server() -> DatabaseServer:
    return until_exit(PostgreSQL)


class PostgreSQL(DatabaseServer):
    """It refuses to run as root, so root hands it to the system's `postgres` account."""

    stop_signal = signal.SIGINT  # "fast": do not wait for clients
    as_user = "postgres" if os.geteuid() == 0 else None

    def _prepare(self) -> None:
        self._programs = need("postgresql").parent
        if self.as_user is not None:
            account = pwd.getpwnam(self.as_user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [self._programs / "initdb", "--pgdata", self.folder / "data", *options],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=self.as_user,
            group=self.as_user,
        )

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",  # these data outlive no power cut
            "max_connections": "200",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options]

    def _connect(self) -> Any:
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def _drop(self, database: str) -> str:
        return f"DROP DATABASE {database} WITH (FORCE)"
