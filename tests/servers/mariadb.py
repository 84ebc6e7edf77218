"""A real MariaDB on loopback, with a database for each test. It stands for MySQL too: the same driver, the same dialect."""

from __future__ import annotations

import functools
import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql

from tests.servers.database_server import DatabaseServer, until_exit
from tests.servers.need import need


@contextmanager
def fresh_mariadb() -> Iterator[str]:
    """The URL of an empty database on the session's server. Skips loudly where there is no MariaDB."""
    need("mariadb")
    with _session_server().fresh() as url:
        yield url


@functools.cache
def _session_server() -> DatabaseServer:
    return until_exit(MariaDB)


class MariaDB(DatabaseServer):
    """With the settings a fresh installation has, so that what fits here fits there (`max_allowed_packet` is 16 MB)."""

    def _prepare(self) -> None:
        self._program = need("mariadb")
        installer = shutil.which("mariadb-install-db") or str(self._program.parent.parent / "bin" / "mariadb-install-db")
        subprocess.run(
            [installer, "--no-defaults", f"--datadir={self.folder / 'data'}", "--auth-root-authentication-method=normal", *self._user()],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder)},  # a server that starts removes what others have put beside it
        )

    def _command(self) -> list[str]:
        return [
            str(self._program),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--tmpdir={self.folder}",
            "--lock-wait-timeout=60",  # a test that leaves a transaction open is told, not waited for
            "--innodb-flush-log-at-trx-commit=2",  # these data outlive no power cut
            *self._user(),
        ]

    @staticmethod
    def _user() -> list[str]:
        return [f"--user={getpass.getuser()}"] if os.geteuid() == 0 else []

    def _connect(self) -> Any:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True)

    def url(self, database: str) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def _drop(self, database: str) -> str:
        return f"DROP DATABASE {database}"
