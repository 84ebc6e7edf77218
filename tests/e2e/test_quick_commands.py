"""Commands run at every save load what they use and nothing else: which modules are loaded is held here, never a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from policies.bundles.cases import a_document

ACME = Path(__file__).parents[2] / "policies" / "starters" / "no-drafts"
HEAVY = {"fastapi", "httpx", "importlib.metadata", "jinja2", "prometheus_client", "pydantic", "sqlalchemy", "structlog", "uvicorn"}
PRETTY = {"rich", "typer"}
LOOP = {"asyncio", "concurrent.futures", "dataclasses", "inspect", "logging", "random", "ssl"}
SELDOM = {"difflib", "gzip", "shutil", "tarfile", "xml"}
FORGES = {"providers.vcs", "gateway.storage", "gateway.config"}

REPORT = """
import sys
from gateway.cli import main
sys.argv = ["admit", *sys.argv[1:]]
try:
    main()
finally:
    print("\\x1e" + " ".join(sorted(sys.modules)), file=sys.stderr)
"""


def loaded(folder, *arguments):
    """The modules a command had loaded when it ended, and the exit code."""
    done = subprocess.run([sys.executable, "-c", REPORT, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return set(done.stderr.rpartition("\x1e")[2].split()), done.returncode


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(a_document({})))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [("check", "in.json", "--policies", ACME), ("test", ACME), ("check", "--help"), ("test", "--help")],
    ids=["check", "test", "help of check", "help of test"],
)
def test_check_and_test_load_no_framework(folder, arguments):
    """Neither a server's libraries nor those that make other commands pretty."""
    modules, code = loaded(folder, *map(str, arguments))
    assert code == 0
    assert "gateway.cli" in modules
    assert not modules & (HEAVY | PRETTY | FORGES)


def test_a_check_loads_nothing_for_what_seldom_happens(folder):
    """What a mistyped name, an archive or another output needs is loaded with them."""
    modules, _ = loaded(folder, "check", "in.json", "--policies", str(ACME))
    assert "policies.document" in modules
    assert not modules & (LOOP | SELDOM)


def test_help_loads_no_framework(folder):
    """The list of commands is drawn by typer and rich; nothing behind the commands is loaded for it."""
    modules, code = loaded(folder, "--help")
    assert code == 0
    assert "typer" in modules
    assert not modules & (HEAVY | FORGES)


def test_a_check_without_relations_loads_no_models_of_them(folder):
    """A policy that asks nobody needs neither a model nor a language for conditions."""
    modules, _ = loaded(folder, "check", "in.json", "--policies", str(ACME))
    assert not {module for module in modules if module.startswith(("policies.relations.model", "cel", "common_expression"))}


def test_both_ways_in_read_the_same_arguments(folder):
    """Where typer was loaded before it was known which command it is, it passes on what it was given."""
    program = "import sys; from gateway.cli.app import app; sys.argv[0] = 'admit'; app()"
    direct = subprocess.run([sys.executable, "-c", program, "check", "--help"], cwd=folder, capture_output=True, text=True, check=False)
    quick = subprocess.run([sys.executable, "-m", "gateway", "check", "--help"], cwd=folder, capture_output=True, text=True, check=False)
    assert direct.returncode == quick.returncode == 0
    assert "Example: admit check" in quick.stdout
    assert direct.stdout == quick.stdout


def test_more_documents_than_may_wait_are_all_judged(folder):
    """Documents are handed to the engine in turns: none is told to come back later."""
    text = (folder / "in.json").read_text()
    names = [f"{number}.json" for number in range(1200)]
    for name in names:
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check", *names, "--policies", str(ACME), "--output", "json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {decision["outcome"] for decision in json.loads(done.stdout)} == {"admitted"}
