"""Bundles and stock `opa`: the same folder loads, tests and means the same; OPA's own checker finds no typo that we miss."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from policies.bundles import BundleFiles
from policies.bundles.archive import packed
from policies.bundles.builtins import ALLOWED, REFUSED
from policies.bundles.cases import read_cases
from policies.bundles.checking import checked_bundle
from policies.bundles.contents import read_contents
from policies.bundles.directory import read_folder
from policies.bundles.scaffold import scaffold
from policies.bundles.second_opinion import lost_by_opa
from policies.engines.opa_library import OpaLibrary
from policies.engines.reserved import ADMIT_MODULE
from policies.errors import BundleRefused
from policies.footprint.values import shape_of
from policies.schema import SCHEMA_FILE, input_schema, top_shape
from tests.servers.need import need

STARTERS = Path(__file__).parents[2] / "policies" / "starters"


def starter_folders():
    return sorted(manifest.parent for manifest in STARTERS.glob("*/bundle.yaml"))


def opa(*arguments, folder):
    command = [need("opa"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def put(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.fixture(scope="module")
def check():
    with asyncio.Runner() as runner:
        engine = OpaLibrary()
        yield lambda files: runner.run(checked_bundle(files, engine))
        runner.run(engine.close())


@pytest.fixture
def first_bundle(tmp_path):
    return put(tmp_path, scaffold("acme"))


@pytest.mark.parametrize(
    "command",
    [
        ("test", "."),
        ("test", "--bundle", "."),
        ("check", "--strict", "."),
        ("check", "--strict", "--bundle", "."),
        ("check", "--strict", "--schema", "input.schema", "."),
        ("fmt", "--fail", "--list", "merge"),
    ],
    ids=" ".join,
)
def test_stock_opa_is_content_with_a_first_bundle(command, first_bundle):
    """`admit init` leaves nothing that OPA's own tools stumble over."""
    done = opa(*command, folder=first_bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    if command[0] == "test":
        assert "PASS: 4/4" in done.stdout


def test_a_first_bundle_is_taken_and_its_cases_can_be_read(first_bundle, check):
    """From the folder as it was written; the test and the cases cover an admitted and a denied change."""
    bundle = check(read_folder(first_bundle))
    assert (bundle.name, [str(policy.id) for policy in bundle.policies]) == ("acme", ["acme/merge.approvals"])
    assert bundle.policies[0].title == "Somebody else has to approve"
    assert {case.outcome.value for case in read_cases(bundle)} == {"admitted", "denied"}


def test_opa_loads_what_we_pack(first_bundle, tmp_path):
    """A bundle's tar.gz is an OPA bundle."""
    archive = tmp_path / "acme.tar.gz"
    archive.write_bytes(packed(read_folder(first_bundle).files))
    document = {"change": {"author": {"ref": "user:1"}, "head": {"sha": "a"}, "commits": [], "reviews": []}, "parameters": {"minimum": 1}}
    (tmp_path / "input.json").write_text(json.dumps(document))
    done = opa("eval", "--bundle", archive.name, "--input", "input.json", "--format", "raw", "data.merge.approvals.deny", folder=tmp_path)
    assert json.loads(done.stdout)[0]["msg"] == "0 of 1 approvals"


def test_every_builtin_of_this_opa_is_allowed_or_refused_with_a_reason(tmp_path):
    """A builtin that OPA learns is noticed here, and refused until somebody has looked at it."""
    capabilities = json.loads(opa("capabilities", "--current", folder=tmp_path).stdout)
    assert {builtin["name"] for builtin in capabilities["builtins"]} == ALLOWED | set(REFUSED)
    assert not ALLOWED & set(REFUSED)
    reaching_out = {builtin["name"] for builtin in capabilities["builtins"] if builtin.get("nondeterministic")}
    assert reaching_out - set(REFUSED) == {"time.now_ns"}  # which the engine pins


DATA = {
    "data.yaml": "a: 1\nb: 2026-01-01\nc: 1e3\nd: ~\ne: [x, 'yes', \"010\"]\nf: true\ng: .5\nh: |\n  text\n",
    "teams/data.json": '{"core": {"ana": true}, "n": 12345678901234567890}',
    "teams/more/data.yml": 'x: "\\u00e9"\n',
}


def test_data_is_read_as_opa_reads_it(tmp_path):
    """The same tree, so that what `opa test` saw is what judges."""
    put(tmp_path, DATA)
    theirs = json.loads(opa("eval", "--bundle", ".", "--format", "raw", "data", folder=tmp_path).stdout)
    assert read_contents({path: text.encode() for path, text in DATA.items()}).data == theirs


ROOTS = [
    ('{"roots": ["merge"]}', "package merge.x\n", "{}", True),
    ('{"roots": ["merge/x"]}', "package merge.x\n", "{}", True),
    ('{"roots": ["merge/x"]}', "package merge.xy\n", "{}", False),
    ('{"roots": ["merge"]}', "package other\n", "{}", False),
    ('{"roots": ["merge", "teams"]}', "package merge\n", '{"teams": {"a": 1}}', True),
    ('{"roots": ["merge", "teams/core"]}', "package merge\n", '{"teams": {"a": 1}}', False),
    ('{"roots": ["merge", "teams/core"]}', "package merge\n", '{"teams": {"core": {"a": 1}}}', True),
    ('{"roots": ["merge", "merge/x"]}', "package merge\n", "{}", False),
    ("{}", "package anything\n", '{"a": 1}', True),
]


@pytest.mark.parametrize(("manifest", "module", "data", "taken"), ROOTS, ids=[f"{row[0]} {row[1].strip()} {row[2]}" for row in ROOTS])
def test_roots_hold_as_they_do_in_opa(manifest, module, data, taken, check, tmp_path):
    """`.manifest` limits a bundle's packages and data alike here and there."""
    package = module.split()[1]
    files = {".manifest": manifest, "x.rego": module + "\ndeny contains 1 if false\n", "data.json": data}
    put(tmp_path, files)
    assert (opa("eval", "--bundle", ".", "true", folder=tmp_path).returncode == 0) is taken
    listing = f"name: acme\npolicies:\n  - {{package: {package}, match: {{action: merge}}}}\n"
    ours = {path: text.encode() for path, text in {**files, "bundle.yaml": listing}.items()}
    if taken:
        check(BundleFiles(name="upload", files=ours))
    else:
        with pytest.raises(BundleRefused, match="roots"):
            check(BundleFiles(name="upload", files=ours))


def names_of_the_input(shape):
    for name, inner in shape.get("properties", {}).items():
        yield name
        yield from names_of_the_input(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(shape.get(key), dict):
            yield from names_of_the_input(shape[key])


NAMES = frozenset(names_of_the_input(top_shape()))


def places_of_names(files):
    """Where modules name something of the input: file, begin, end."""
    for path, text in files.items():
        if path.endswith(".rego") and not path.endswith("_test.rego"):
            for match in re.finditer(r"\.([a-z_]+)\b", text):
                line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].lstrip()
                if match.group(1) in NAMES and not line.startswith(("#", "package", "import")):
                    yield path, match.start(1), match.end(1)


def misspelt(files, dice):
    """One name of the input, with one letter changed: the files, and where."""
    path, begin, end = dice.choice(list(places_of_names(files)))
    text = files[path]
    at = dice.randrange(begin, end)
    return {**files, path: text[:at] + dice.choice("qxz") + text[at + 1 :]}, (path, text.count("\n", 0, begin) + 1)


def places_opa_finds(files, folder):
    schema = input_schema()
    schema["properties"]["parameters"] = shape_of(yaml.safe_load(files["bundle.yaml"])["policies"][0].get("parameters") or {})
    modules = {path: text for path, text in files.items() if path.endswith(".rego") and not path.endswith("_test.rego")}
    put(folder, {**modules, "admit.rego": ADMIT_MODULE, "input.schema": json.dumps(schema)})
    done = opa("check", "--max-errors", "100", "--format", "json", "--schema", "input.schema", ".", folder=folder)
    errors = json.loads(done.stderr)["errors"] if done.stderr.strip() else []
    # a name reached through a rule ("data.…") is told at some other use of that rule, which need not have the mistake
    lost = [each["location"] for each in errors if each["message"].startswith("undefined ref: input.")]
    return {(place["file"].removeprefix("./"), place["row"]) for place in lost}


@pytest.mark.parametrize("number", range(40))
def test_a_misspelt_name_in_a_starter_is_found_as_surely_as_opa_finds_it(number, check, tmp_path):
    """One letter of one name in a real policy: refused at its line, and at every line that OPA names."""
    dice = random.Random(number)
    folder = dice.choice(starter_folders())
    files = {path: content.decode() for path, content in read_folder(folder).files.items()}
    wrong, where = misspelt(files, dice)
    with pytest.raises(BundleRefused) as refused:
        check(BundleFiles(name="starter", files={path: text.encode() for path, text in wrong.items()}))
    ours = {(problem.path, problem.line) for problem in refused.value.problems}
    assert where in ours
    assert places_opa_finds(wrong, tmp_path) <= ours


def test_the_committed_schema_is_one_that_opa_can_use(tmp_path):
    """`opa check --schema` finds a typo with the file as it is committed."""
    put(tmp_path, {"x.rego": "package x\n\nr if input.change.titel\n"})
    done = opa("check", "--schema", str(SCHEMA_FILE), "x.rego", folder=tmp_path)
    assert done.returncode != 0
    assert "undefined ref: input.change.titel" in done.stderr


def test_opa_is_asked_for_a_second_opinion(tmp_path):
    """Where the binary is present it can only add a refusal: it finds typos by itself, and none in the starters."""
    module = "package lib.it\n\nlarge if input.change.titel\n\nnothing if input.change.comments == null\n"

    async def ask():
        engine = OpaLibrary()
        try:
            found = await lost_by_opa({"lib/it.rego": module}, need("opa"))
            bundles = [await checked_bundle(read_folder(path), engine, run_tests=False, opa=need("opa")) for path in starter_folders()[:4]]
        finally:
            await engine.close()
        return found, bundles

    found, bundles = asyncio.run(ask())
    assert [str(problem) for problem in found] == [
        "lib/it.rego:3: input.change.titel: opa check --schema finds no such name in the input; look it up in input.schema.json"
    ]
    assert len(bundles) == 4


def test_an_opa_that_gives_no_answer_decides_nothing(tmp_path):
    """A binary that fails, or is another program, refuses no bundle: our own check has been made before."""
    program = tmp_path / "opa"
    program.write_text("#!/bin/sh\necho nonsense >&2\nexit 1\n")
    program.chmod(0o755)
    assert asyncio.run(lost_by_opa({"x.rego": "package x\n"}, program)) == ()
    program.chmod(0o644)
    assert asyncio.run(lost_by_opa({"x.rego": "package x\n"}, program)) == ()
