"""The gateway's own tests on a real MariaDB."""

from __future__ import annotations

from tests.integration.gateway.other_databases import TESTS, databases_of
from tests.servers.mariadb import fresh_mariadb

globals().update(TESTS)
migrated, on_mariadb = databases_of(fresh_mariadb)
