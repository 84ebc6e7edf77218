"""The gateway's own tests on a real PostgreSQL."""

from __future__ import annotations

from tests.integration.gateway.other_databases import TESTS, databases_of
from tests.servers.postgresql import fresh_postgresql

globals().update(TESTS)
migrated, on_postgresql = databases_of(fresh_postgresql)
