"""The refusal table: everything a bundle is refused for on load, with the whole message its author sees."""

from __future__ import annotations

import pytest

from policies.bundles import limits
from policies.bundles.builtins import REFUSED
from policies.errors import BundleRefused
from tests.contract.bundles.bundles import MANIFEST, a_bundle


def refusal(check, changes):
    with pytest.raises(BundleRefused) as refused:
        check(a_bundle(changes))
    first, *problems = str(refused.value).splitlines()
    assert first in ("bundle 'acme' is refused:", "bundle 'upload' is refused:")
    return [problem.removeprefix("  ") for problem in problems]


def manifest(text):
    return {"bundle.yaml": text}


def policy(text):
    return manifest("name: acme\npolicies:\n  - " + text)


MANIFESTS = {
    "none": ({"bundle.yaml": None}, ["expected a file bundle.yaml, found none; write one, or start with: admit init DIR"]),
    "another name": (
        {"bundle.yaml": None, "bundle.yml2": MANIFEST},
        ["expected a file bundle.yaml, found none; rename bundle.yml2"],
    ),
    "bundles in folders of it": (
        {"bundle.yaml": None, "a/bundle.yaml": MANIFEST, "b/bundle.yaml": MANIFEST, "c.json": "{}"},
        ["expected a file bundle.yaml, found none; name one of the bundles in it: a, b"],
    ),
    "no yaml": (
        manifest("name: [acme"),
        ["bundle.yaml:1: expected YAML, found something else: expected ',' or ']', but got '<stream end>'"],
    ),
    "empty": (manifest(""), ["bundle.yaml: the whole file: expected keys and values, found nothing"]),
    "a list": (manifest("- a"), ["bundle.yaml:1: the whole file: expected keys and values, found a list"]),
    "no name": (
        manifest("policies: [{package: merge.size, match: {action: merge}}]"),
        ["bundle.yaml:1: name: expected a value, found nothing"],
    ),
    "a name with a slash": (
        manifest("name: a/b\npolicies: [{package: merge.size, match: {action: merge}}]"),
        ["bundle.yaml:1: name: expected letters, digits, dots, dashes and underscores, found 'a/b'"],
    ),
    "no policy": (manifest("name: acme\npolicies: []"), ["bundle.yaml:2: policies: expected at least one entry, found an empty list"]),
    "a misspelt key": (
        policy("{package: merge.size, match: {action: merge}, enforcment: deny}"),
        ["bundle.yaml:3: policies[0].enforcment: unknown key; did you mean 'enforcement'?"],
    ),
    "a misspelt key at the top": (
        manifest("nme: acme\n" + MANIFEST.decode()),
        ["bundle.yaml:1: nme: unknown key; did you mean 'name'?"],
    ),
    "a misspelt facet": (
        policy("{package: merge.size, match: {action: merge, repository: ['acme/*']}}"),
        ["bundle.yaml:3: policies[0].match.repository: unknown key; did you mean 'repositories'?"],
    ),
    "a misspelt exclusion": (
        policy("{package: merge.size, match: {action: merge, exclude: {branch: [main]}}}"),
        ["bundle.yaml:3: policies[0].match.exclude.branch: unknown key; did you mean 'branches'?"],
    ),
    "another action": (
        policy("{package: merge.size, match: {action: push}}"),
        ["bundle.yaml:3: policies[0].match.action: expected one of 'merge' or 'submit', found 'push'"],
    ),
    "another enforcement": (
        policy("{package: merge.size, match: {action: merge}, enforcement: block}"),
        ["bundle.yaml:3: policies[0].enforcement: expected one of 'deny', 'warn' or 'dryrun', found 'block'"],
    ),
    "a facet the action does not have": (
        policy("{package: merge.size, match: {action: merge, workflows: [deploy]}}"),
        ["bundle.yaml:3: expected one of connections, repositories, branches for action merge, found workflows; remove it"],
    ),
    "a text where globs belong": (
        policy("{package: merge.size, match: {action: merge, branches: main}}"),
        ["bundle.yaml:3: policies[0].match.branches: expected a list, found 'main'"],
    ),
    "no glob at all": (
        policy("{package: merge.size, match: {action: merge, branches: []}}"),
        ["bundle.yaml:3: policies[0].match.branches: expected at least one entry, found an empty list"],
    ),
    "a glob of another language": (
        policy("{package: merge.size, match: {action: merge, branches: ['{main,dev}']}}"),
        [
            "bundle.yaml:3: policies[0].match.branches[0]: expected a glob of 1 to 200 characters; it knows ?, * and **, "
            "and takes nothing else for special, found '{main,dev}'"
        ],
    ),
    "no package name": (
        policy("{package: merge/size, match: {action: merge}}"),
        ["bundle.yaml:3: policies[0].package: expected a Rego package, like merge.approvals, found 'merge/size'"],
    ),
    "a package twice": (
        policy("{package: merge.size, match: {action: merge}}\n  - {package: merge.size, match: {action: merge}}"),
        ["bundle.yaml:4: expected every package once, found merge.size twice; merge the two, or give one of them a package of its own"],
    ),
    "a number too large to be the same for everybody": (
        policy("{package: merge.size, match: {action: merge}, parameters: {maximum: 9007199254740993}}"),
        [
            "bundle.yaml:3: policies[0].parameters: expected a JSON value that every machine reads alike, found one that is not: "
            "9007199254740993 exceeds safe integer domain for JSON floats; write large numbers as text"
        ],
    ),
    "a package that is absent": (
        policy("{package: merge.sise, match: {action: merge}}"),
        ["bundle.yaml:3: package merge.sise is listed, but no file declares it; did you mean merge.size?"],
    ),
    "a package like no other": (
        policy("{package: deploy.window, match: {action: submit}}"),
        ["bundle.yaml:3: package deploy.window is listed, but no file declares it; add the file or remove it from bundle.yaml"],
    ),
    "a package that a test alone declares": (
        policy("{package: merge.size_test, match: {action: merge}}"),
        ["bundle.yaml:3: package merge.size_test is listed, but no file declares it; did you mean merge.size?"],
    ),
    "a package without a rule that counts": (
        {
            **policy("{package: lib.teams, match: {action: merge}}"),
            "teams.rego": "package lib.teams\n\nquestions contains 1\n\ndenied if true\n",
        },
        ["bundle.yaml:3: package lib.teams has no deny, violation, warn or hold rule; add one or remove it from bundle.yaml"],
    ),
    "roots that are no list": (
        {".manifest": '{"roots": "merge"}'},
        ['.manifest: roots: expected a list of paths like "merge" or "acme/merge"'],
    ),
    "a misspelt root": ({".manifest": '{"root": ["merge"]}'}, [".manifest: unknown key 'root'; did you mean 'roots'?"]),
    "roots that overlap": (
        {".manifest": '{"roots": ["merge", "merge/size"]}'},
        [".manifest: roots: expected roots that do not overlap, found 'merge' and 'merge/size'"],
    ),
    "rego of version 0": (
        {".manifest": '{"roots": ["merge"], "rego_version": 0}'},
        [".manifest: expected Rego version 1, found version 0; rewrite the policies with: opa fmt --write --v0-v1"],
    ),
    "a package under no root": (
        {"x.rego": "\npackage other.x\n"},
        ["x.rego:2: package other.x lies under none of the roots of .manifest (merge, lib, teams); add its root to .manifest"],
    ),
    "data under no root": (
        {"other/data.json": '{"x": 1}'},
        ["expected data under the roots of .manifest, found data.other; add its root to .manifest, or move the data"],
    ),
}


@pytest.mark.parametrize(("changes", "messages"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_is_refused_for(changes, messages, check):
    """bundle.yaml and .manifest: the line, what was expected, what was found."""
    assert refusal(check, changes) == messages


FILES = {
    "a name that climbs": (
        {"../x.rego": "package lib.x"},
        ["../x.rego: expected a path inside the bundle, found one that climbs out with ..; rename it"],
    ),
    "an absolute name": ({"/x.rego": "package lib.x"}, ["/x.rego: expected a relative path, found an absolute one; rename it"]),
    "rego that is not utf-8": (
        {"x.rego": b'package lib.x\n\nx := "\xe4"\n'},
        ["x.rego:3: expected UTF-8, found other bytes; save the file as UTF-8"],
    ),
    "data that is no json": (
        {"teams/data.json": '{\n"a": }'},
        ["teams/data.json:2: expected JSON, found something else: Expecting value"],
    ),
    "data that is no object": ({"teams/data.yaml": "- a\n"}, ["teams/data.yaml:1: expected keys and values, found something else"]),
    "data in two files": (
        {"teams/data.json": '{"a": {"b": 1}}', "teams/data.yaml": "a: {b: 2}\n"},
        ["teams/data.yaml: expected every piece of data once, found data.teams.a.b in another file too; keep one"],
    ),
    "data where opa's tests would see it and the gateway would not": (
        {"teams/people.json": "{}"},
        [
            "teams/people.json: expected data in files named data.json, data.yaml, data.yml, found people.json, "
            "which is no part of an OPA bundle; move its content to a data file, or give it another ending"
        ],
    ),
    "cases in a yaml": (
        {"cases/size.yaml": "cases:\n  - name: x\n    expect: admitted\n"},
        [
            "cases/size.yaml: expected data in files named data.json, data.yaml, data.yml, found size.yaml, "
            "which is no part of an OPA bundle; these are cases: rename it to cases/size.case"
        ],
    ),
    "data that lies where a rule does": (
        {"merge/size/data.json": '{"deny": []}'},
        ["size.rego:8: expected a rule or data, found both at data.merge.size.deny; rename one of them"],
    ),
    "data that lies where a package does": (
        {"merge/data.json": '{"size": 1}'},
        ["size.rego:8: expected a rule or data, found both at data.merge.size; rename one of them"],
    ),
    "reserved data": (
        {".manifest": None, "admit/data.json": '{"x": 1}'},
        ["expected data of the bundle's own, found data.admit: admit is reserved; rename it"],
    ),
    "an admit.rego that is no copy of admit": (
        {"admit.rego": "# mine\npackage merge.mine\n"},
        ["admit.rego:2: expected the editors' copy of package admit, found package merge.mine; rename the file"],
    ),
}


@pytest.mark.parametrize(("changes", "messages"), FILES.values(), ids=FILES)
def test_a_file_is_refused_for(changes, messages, check):
    """Names, encodings, data: before any Rego is looked at."""
    assert refusal(check, changes) == messages


def test_limits_hold_for_bundles_that_came_some_other_way(check, monkeypatch):
    """Files read from a forge have passed neither a folder's nor an archive's limits."""
    monkeypatch.setattr("policies.bundles.checking.MAX_FILES", 3)
    monkeypatch.setattr("policies.bundles.checking.MAX_BYTES", 100)
    assert refusal(check, {}) == [
        "expected at most 3 files, found 4; split the bundle",
        "expected at most 0 MB in all files together, found more; split the bundle",
    ]
    assert limits.MAX_FILES == 10_000
    assert limits.MAX_BYTES == 100_000_000


def rule(text):
    """Below the good policy's 13 lines."""
    return {"lib.rego": "package lib.it\n\n" + text}


NETWORK = "it reaches the network, and a verdict must follow from the input alone"

REGO = {
    "does not parse": (rule("deny contains {\n"), ["lib.rego:4: unexpected eof token (rego_parse_error)"]),
    "does not compile": (
        rule("x := y\n"),
        ["lib.rego:3: var y is unsafe (rego_unsafe_var_error); bind the variable, with `some`, `:=` or `every`, or import what it names"],
    ),
    "a builtin that is called": (rule("x := http.send({})\n"), [f"lib.rego:3: http.send is not available to policies: {NETWORK}"]),
    "by brackets": (rule('x := http["send"]({})\n'), [f"lib.rego:3: http.send is not available to policies: {NETWORK}"]),
    "as a with value": (
        rule("x if {\n\tcount([1]) == 1 with count as http.send\n}\n"),
        [f"lib.rego:4: http.send is not available to policies: {NETWORK}"],
    ),
    "as a with target": (
        rule("x if {\n\tcount([1]) == 1 with http.send as count\n}\n"),
        [f"lib.rego:4: http.send is not available to policies: {NETWORK}"],
    ),
    "for a function of the bundle": (
        rule("f(x) := x\n\nx := y if {\n\ty := f(1) with data.lib.it.f as http.send\n}\n"),
        [f"lib.rego:6: http.send is not available to policies: {NETWORK}"],
    ),
    "in a comprehension": (
        rule('x := [y | y := rand.intn("a", 3)]\n'),
        [f"lib.rego:3: rand.intn is not available to policies: {REFUSED['rand.intn']}"],
    ),
    "in a default's function": (
        rule("default f(_) := 1\n\nf(x) := opa.runtime().env if x\n"),
        [f"lib.rego:5: opa.runtime is not available to policies: {REFUSED['opa.runtime']}"],
    ),
    "in an else": (
        rule('x if false\nelse := net.lookup_ip_addr("a")\n'),
        [f"lib.rego:4: net.lookup_ip_addr is not available to policies: {NETWORK}"],
    ),
    "in a template": (
        rule('x := $"{uuid.rfc4122("a")}"\n'),
        [f"lib.rego:3: uuid.rfc4122 is not available to policies: {REFUSED['uuid.rfc4122']}"],
    ),
    "in a rule's head": (
        rule("x contains http.send({})\n"),
        [f"lib.rego:3: http.send is not available to policies: {NETWORK}"],
    ),
    "in every": (rule('x if every y in [1] { trace("a") }\n'), [f"lib.rego:3: trace is not available to policies: {REFUSED['trace']}"]),
    "in a test": (
        {"lib_test.rego": "package lib.it_test\n\ntest_it if http.send({}) == 1\n"},
        [f"lib_test.rego:3: http.send is not available to policies: {NETWORK}"],
    ),
    "twice": (
        rule("x := http.send({})\n\ny := http.send({})\n"),
        [
            f"lib.rego:3: http.send is not available to policies: {NETWORK}",
            f"lib.rego:5: http.send is not available to policies: {NETWORK}",
        ],
    ),
    "schemas by address": (
        rule('x := json.match_schema({}, {"$ref": "http://example.org"})\n'),
        [f"lib.rego:3: json.match_schema is not available to policies: {REFUSED['json.match_schema']}"],
    ),
    "a function nobody knows": (
        rule("x := foo.bar(1)\n"),
        ["lib.rego:3: foo.bar is no function of this bundle, and not among the builtins available to policies"],
    ),
    "a replacement nobody knows": (
        rule("x if count([1]) == 1 with count as foo.bar\n"),
        ["lib.rego:3: foo.bar is no function of this bundle, and not among the builtins available to policies"],
    ),
    "the package admit": (
        {".manifest": None, "x.rego": "package admit\n\nrelated(_, _, _) := true\n"},
        ["x.rego:1: expected a package of the bundle's own, found admit: admit is reserved; give the package another first name"],
    ),
    "a package below admit": (
        {".manifest": None, "x.rego": "package admit.world\n"},
        ["x.rego:1: expected a package of the bundle's own, found admit.world: admit is reserved; give the package another first name"],
    ),
    "the package system": (
        {".manifest": None, "x.rego": "# ours\npackage system.log\n"},
        ["x.rego:2: expected a package of the bundle's own, found system.log: system is reserved; give the package another first name"],
    ),
    "a reserved package in a test": (
        {".manifest": None, "x_test.rego": "package admit\n"},
        ["x_test.rego:1: expected a package of the bundle's own, found admit: admit is reserved; give the package another first name"],
    ),
    "schemas of its own": (
        {"x.rego": '# METADATA\n# title: X\n# schemas:\n#   - input: {"$ref": "http://example.org"}\npackage lib.x\n'},
        ["x.rego:1: METADATA with schemas: input is checked against the gateway's own schema; remove the key schemas"],
    ),
    "a flag for a set": (
        {"x.rego": "package merge.size\n\ndeny_x if input.change.draft\n"},
        ['x.rego:3: deny_x: expected a set of messages, found a boolean; write: deny_x contains "why" if …'],
    ),
    "a default for a set": (
        {"x.rego": "package merge.x\n\ndefault violation := false\n"},
        ['x.rego:3: violation: expected a set of messages, found a boolean; write: violation contains "why" if …'],
    ),
    "a text for a set": (
        {"x.rego": 'package merge.x\n\nwarn := "no" if true\n'},
        ['x.rego:3: warn: expected a set of messages, found a string; write: warn contains "why" if …'],
    ),
    "keys for a set, as in version 0": (
        {"x.rego": 'package merge.x\n\ndeny["no"] if true\n'},
        ['x.rego:3: deny: expected a set of messages, found an object with keys; write: deny contains "why" if …'],
    ),
    "a function for a set": (
        {"x.rego": "package merge.x\n\nhold(x) := x\n"},
        ['x.rego:3: hold: expected a set of messages, found a function; write: hold contains "why" if …'],
    ),
    "questions that are no set": (
        {"x.rego": "package merge.x\n\nquestions := []\n"},
        ["x.rego:3: questions: expected a set of messages, found an array; write: questions contains admit.question(…) if …"],
    ),
    "questions that read the answers": (
        {"x.rego": "package merge.size\n\nquestions contains q if {\n\tsome q in input.relations\n}\n"},
        [
            "x.rego:4: questions reads the answers (input.relations), but is evaluated before there are any; "
            "ask for every relation the policy may look at"
        ],
    ),
    "questions that read them through a rule": (
        {"x.rego": "package merge.size\n\nquestions contains q if q := owner\n\nowner := lib.it.owner\n\nimport data.lib\n"}
        | rule("import data.admit as a\n\nowner if a.related(1, 2, 3)\n"),
        [
            "lib.rego:5: questions reads the answers through owner (a.related), but is evaluated before there are any; "
            "ask for every relation the policy may look at"
        ],
    ),
    "a failing test": (
        {"size_test.rego": "package merge.size_test\n\ntest_it if 1 == 2\n"},
        ["size_test.rego:3: test merge.size_test.test_it failed: test_it if 1 == 2; 1 is not 2; run: admit test DIR"],
    ),
    "an erring test": (
        {"size_test.rego": "package merge.size_test\n\ntest_it if 1 / 0 == 2\n"},
        ["size_test.rego:3: test merge.size_test.test_it failed: eval_builtin_error: div: divide by zero; run: admit test DIR"],
    ),
    "a test that does not compile": (
        {"size_test.rego": "package merge.size_test\n\ntest_it if x\n"},
        [
            "size_test.rego:3: var x is unsafe (rego_unsafe_var_error); bind the variable, with `some`, `:=` or `every`, "
            "or import what it names"
        ],
    ),
}


@pytest.mark.parametrize(("changes", "messages"), REGO.values(), ids=REGO)
def test_rego_is_refused_for(changes, messages, check):
    """Whatever would let a policy reach out, hide, or never say no."""
    assert refusal(check, changes) == messages


def test_all_problems_of_a_step_are_told_at_once(check):
    """An author fixes a bundle once, not once per problem."""
    found = refusal(check, rule("x := http.send({})\n\ny := opa.runtime()\n") | {"x.rego": "package merge.x\n\ndeny := true\n"})
    assert [line.partition(" ")[0] for line in found] == ["lib.rego:3:", "lib.rego:5:", "x.rego:3:"]


@pytest.mark.parametrize("builtin", sorted(REFUSED))
def test_every_refused_builtin_is_refused_as_a_replacement(builtin, check):
    """The way in that is forgotten most easily."""
    found = refusal(check, rule(f"x if count([1]) == 1 with count as {builtin}\n"))
    assert found == [f"lib.rego:3: {builtin} is not available to policies: {REFUSED[builtin]}"]


def reads(body):
    return {"x.rego": "package merge.size\n\n" + body + "\n"}


NAMES = {
    "a fact that is not in the input": (
        reads("warn contains 1 if input.change.titel"),
        ["x.rego:3: input.change.titel: input.change has no titel; did you mean title?"],
    ),
    "a thing that is not in the input": (
        reads("warn contains 1 if input.chagne.title"),
        ["x.rego:3: input.chagne.title: input has no chagne; did you mean change?"],
    ),
    "a name like no other": (
        reads("warn contains 1 if input.change.head.zzz"),
        ["x.rego:3: input.change.head.zzz: input.change.head has no zzz; expected one of ref, sha, repository, fork"],
    ),
    "a name in many": (
        reads("warn contains 1 if input.change.zzz"),
        [
            "x.rego:3: input.change.zzz: input.change has no zzz; expected one of connection, forge, repository, number, url, title, "
            "body, author, labels, draft, state, head, …"
        ],
    ),
    "a name in an item": (
        reads("warn contains 1 if {\n\tsome f in input.change.files\n\tf.aditions > 100\n}"),
        ["x.rego:5: f.aditions: input.change.files[] has no aditions; did you mean additions?"],
    ),
    "a name in a function's argument": (
        reads("warn contains 1 if large(input.change.files[_])\n\nlarge(f) if f.aditions > 100"),
        ["x.rego:5: f.aditions: input.change.files[] has no aditions; did you mean additions?"],
    ),
    "a name behind a default": (
        reads('warn contains 1 if object.get(input.change, "titel", "") == ""'),
        ["x.rego:3: object.get.titel: input.change has no titel; did you mean title?"],
    ),
    "an item's name asked of the list": (
        reads("warn contains 1 if input.change.files.path"),
        [
            "x.rego:3: input.change.files.path: input.change.files is a list, found the name 'path' where "
            "an item belongs; write: some item in …"
        ],
    ),
    "a name inside a text": (
        reads("warn contains 1 if input.change.title.length"),
        ["x.rego:3: input.change.title.length: input.change.title is a string, with nothing inside"],
    ),
    "a name inside a nullable number": (
        reads("warn contains 1 if input.change.files[0].additions.x"),
        ["x.rego:3: input.change.files[0].additions.x: input.change.files[].additions is a whole number or null, with nothing inside"],
    ),
    "a misspelt parameter": (
        reads("warn contains 1 if input.parameters.maximun > 1"),
        ["x.rego:3: input.parameters.maximun: bundle.yaml gives merge.size no parameter maximun; did you mean maximum?"],
    ),
    "a parameter nobody gives": (
        reads("warn contains 1 if input.parameters.branch"),
        ["x.rego:3: input.parameters.branch: bundle.yaml gives merge.size no parameter branch; add it to the policy's parameters"],
    ),
    "a name in a library": (
        {"lib.rego": "package lib.it\n\nlarge contains f if {\n\tsome f in input.change.files\n\tf.aditions > 1\n}\n"},
        ["lib.rego:5: f.aditions: input.change.files[] has no aditions; did you mean additions?"],
    ),
}


@pytest.mark.parametrize(("changes", "messages"), NAMES.values(), ids=NAMES)
def test_a_name_is_refused_for_leading_nowhere(changes, messages, check):
    """Inside a deny a typo silently admits: undefined is not true."""
    assert refusal(check, changes) == messages


def test_what_cannot_be_looked_through_is_not_taken_on_trust(check, monkeypatch):
    """Depth beyond what can be followed, and ways without end, are refusals like any other."""
    deep = "package lib.it\n\nf0(x) := x\n\n" + "".join(f"f{n}(x) := f{n - 1}(x)\n\n" for n in range(1, 400)) + "y := f399(input)\n"
    for module in (deep, "package lib.it\n\nx := " + " + ".join(["1"] * 450) + "\n"):
        assert refusal(check, {"lib.rego": module}) == [
            "expected rules and terms that lead into each other less deeply; split the deepest ones"
        ]
    monkeypatch.setattr("policies.footprint.follower._MAX_STEPS", 1)
    assert refusal(check, {}) == [
        "package merge.size: expected rules whose every way from the input can be followed, found too many; split them"
    ]


def test_problems_without_end_are_told_up_to_a_hundred(check):
    """A message is for reading."""
    found = refusal(check, reads("".join(f"w{n} if input.change.titel == {n}\n\n" for n in range(120))))
    assert len(found) == 101
    assert found[-1] == "and 20 problems more"


NEVER = {
    "a word a fact never is": (
        'warn contains 1 if input.change.checks[_].conclusion == "failed"',
        ['x.rego:3: input.change.checks[].conclusion is never "failed"; did you mean failure?'],
    ),
    "a word through a variable": (
        'warn contains 1 if {\n\tsome r in input.change.reviews\n\tstate := r.state\n\t"aproved" == state\n}',
        ['x.rego:6: input.change.reviews[].state is never "aproved"; did you mean approved?'],
    ),
    "a word in a function": (
        'warn contains 1 if bad(input.change.checks[_])\n\nbad(c) if c.state == "done"',
        ['x.rego:5: input.change.checks[].state is never "done"; expected one of pending, completed'],
    ),
    "one of several words": (
        'warn contains 1 if {\n\tsome c in input.change.checks\n\tnot c.conclusion in {"success", "skiped"}\n}',
        ['x.rego:5: input.change.checks[].conclusion is never "skiped"; did you mean skipped?'],
    ),
    "a word it is not to be": (
        'warn contains 1 if input.change.checks[_].conclusion != "sucess"',
        ['x.rego:3: input.change.checks[].conclusion is never "sucess"; did you mean success?'],
    ),
    "another action": (
        'warn contains 1 if input.action == "push"',
        ['x.rego:3: input.action is never "push"; expected one of merge, submit'],
    ),
    "a text for a number": (
        'warn contains 1 if input.change.number == "7"',
        ['x.rego:3: input.change.number is never "7": it is a whole number'],
    ),
    "a number for a text": (
        "warn contains 1 if 7 in input.change.labels",
        ["x.rego:3: input.change.labels[] is never 7: it is a string"],
    ),
    "a text for a flag": (
        'warn contains 1 if input.change.draft == "true"',
        ['x.rego:3: input.change.draft is never "true": it is true or false'],
    ),
    "another kind of parameter": (
        'warn contains 1 if input.parameters.maximum == "3"',
        ['x.rego:3: input.parameters.maximum is never "3": it is a number'],
    ),
    "by unification": (
        'warn contains 1 if input.subject.kind = "person"',
        ['x.rego:3: input.subject.kind is never "person"; expected one of user, bot, ghost'],
    ),
}


@pytest.mark.parametrize(("body", "messages"), NEVER.values(), ids=NEVER)
def test_a_comparison_is_refused_for_never_holding(body, messages, check):
    """`conclusion == "failed"` in a deny admits as silently as a misspelt name."""
    assert refusal(check, reads(body)) == messages


POSSIBLE = {
    "a word it may be": 'warn contains 1 if input.change.checks[_].conclusion == "failure"',
    "null where it cannot be": "warn contains 1 if input.change.title == null",
    "not null where it cannot be": "warn contains 1 if input.change.title != null",
    "another kind it is not": 'warn contains 1 if input.change.number != ""',
    "a fact of two kinds": 'warn contains 1 if {\n\tx := [input.change.number, input.change.title][_]\n\tx == "7"\n}',
    "a function for two kinds of facts": (
        'warn contains 1 if is(input.change.state, "open")\n\nwarn contains 2 if is(input.change.checks[_].state, "pending")\n\n'
        "is(fact, word) if fact == word"
    ),
    "a branch for each kind": (
        'warn contains 1 if odd(input.change.checks[_].state)\n\nwarn contains 2 if odd(input.change.state)\n\nodd(s) if s == "pending"\n\n'
        'odd(s) if s == "closed"'
    ),
    "a label": 'warn contains 1 if "urgent" in input.change.labels',
    "a number that is whole": "warn contains 1 if input.change.number == 7.5",
    "anything a workflow is given": 'warn contains 1 if input.workflow.input.mode == "fast"',
    "two facts": "warn contains 1 if input.change.head.sha == input.change.base.sha",
}


@pytest.mark.parametrize("body", POSSIBLE.values(), ids=POSSIBLE)
def test_a_comparison_that_may_hold_is_taken(body, check):
    """Only what can never be in any of its uses is refused, and asking for null is being careful."""
    assert check(a_bundle(reads(body))).name == "acme"


TEAMS = {"teams/data.json": '{"core": {"ana": true}, "list": [{"x": 1}], "nothing": null}'}
DATA = {
    "data that is not there": (
        "warn contains 1 if data.teems.core[input.subject.login]",
        ["x.rego:3: data.teems.core[_]: the bundle has no teems in data; did you mean teams?"],
    ),
    "data deeper down": (
        "warn contains 1 if not data.teams.cores[input.subject.login]",
        ["x.rego:3: data.teams.cores[_]: the bundle has no cores in data.teams; did you mean core?"],
    ),
    "data behind an import": (
        "import data.teams as t\n\nwarn contains 1 if t.coer.ana",
        ["x.rego:5: t.coer.ana: the bundle has no coer in data.teams; did you mean core?"],
    ),
    "inside data that has no inside": (
        "warn contains 1 if data.teams.core.ana.since",
        ["x.rego:3: data.teams.core.ana.since: the bundle has no since in data.teams.core.ana"],
    ),
    "another package": (
        "warn contains 1 if data.merge.sise.deny",
        ["x.rego:3: data.merge.sise.deny: the bundle has no sise in data.merge; did you mean size?"],
    ),
    "another rule": (
        "warn contains 1 if count(data.merge.size.denny) > 0",
        ["x.rego:3: data.merge.size.denny: the bundle has no denny in data.merge.size; did you mean deny?"],
    ),
}


@pytest.mark.parametrize(("body", "messages"), DATA.values(), ids=DATA)
def test_data_is_refused_for_not_being_there(body, messages, check):
    """A bundle is all the data there is, and never changes: what it does not have is a typo."""
    assert refusal(check, {**reads(body), **TEAMS}) == messages


@pytest.mark.parametrize(
    "body",
    [
        "warn contains 1 if data.teams.core.ana",
        "warn contains 1 if data.teams[input.subject.login].anything",
        "warn contains 1 if data.teams.list[0].anything",
        "warn contains 1 if data.teams.nothing",
        "warn contains 1 if data.merge.size.deny",
        "warn contains 1 if data.merge[_].deny",
        'warn contains 1 if helper with data.elsewhere as {"x": 1}\n\nhelper if data.elsewhere.x',
    ],
)
def test_data_that_is_there_or_may_be_is_taken(body, check):
    """Keys that are only known at evaluation, and data that a `with` puts in place, may be anything."""
    library = {"l.rego": LIBRARY} if "data.merge" in body else {}
    assert check(a_bundle({**reads(body.replace("data.merge", "data.lib")), **TEAMS, **library})).name == "acme"


LIBRARY = "package lib.size\n\ndeny contains 1 if false\n"


def test_rules_that_would_never_judge_are_refused(check):
    """A policy in a file of its own that bundle.yaml does not name is in force in its author's mind only."""
    forgotten = {"labels.rego": 'package merge.labels\n\ndeny contains "no label" if count(input.change.labels) == 0\n'}
    with pytest.raises(BundleRefused) as refused:
        check(a_bundle(forgotten))
    assert [str(problem) for problem in refused.value.problems] == [
        "labels.rego:3: package merge.labels has a rule deny, but bundle.yaml does not name the package: it would never judge; "
        "add it under policies: in bundle.yaml (- package: merge.labels), or give the rule another name"
    ]


def test_a_package_others_build_on_need_not_be_listed(check):
    """A library may call its rules what it likes."""
    assert check(a_bundle({**reads("warn contains 1 if count(data.lib.size.deny) > 3"), "l.rego": LIBRARY})).name == "acme"
