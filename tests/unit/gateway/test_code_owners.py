"""From a CODEOWNERS file to facts: whose a changed file is, by immutable ids, and what of the file names nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from gateway.domain.code_owners import FoundFile, code_owners_document, covering, path_object
from providers.vcs import Change, ChangedFile, CodeOwnersDialect, FileStatus
from providers.vcs.code_owners import OwnerRule, read_code_owners
from providers.vcs.memory import MemoryForge
from providers.vcs.memory.facts import facts

KNOWN = {
    "ben": ["user:work/7"],
    "acme": ["organization:work/1", "repository:work/9"],
    "acme/core": ["team:work/3"],
    "twice": ["user:work/8", "user:work/9"],
}


def a_change(*files: ChangedFile) -> Change:
    """By ana, whom the forge knows by another ref than anybody else."""
    forge = MemoryForge(connection="work", clock=lambda: datetime(2026, 1, 5, tzinfo=UTC))
    forge.create_repository("acme/shop")
    key = forge.open_change("acme/shop", head="work", files={"a": "1"}, by="ana")
    return replace(facts(forge.world, key), files=files)


def modified(path):
    return ChangedFile(path=path, status=FileStatus.MODIFIED)


def document(text, *files, known=KNOWN, dialect=CodeOwnersDialect.GITHUB):
    owners = read_code_owners(text.encode(), dialect)
    change = a_change(*files)
    found = FoundFile(commit="c" * 40, path="CODEOWNERS", digest="sha256:0", owners=owners)
    return change, code_owners_document(found, covering(owners, change), change, known)


def told(found):
    return [f"{p['line']}:{p['column']}: {p['message']}; {p['advice']}" for p in found["problems"]]


def test_names_become_ids_of_accounts_teams_and_organisations():
    """In any case; who takes part in the change goes by the login of this moment."""
    change, found = document("* @Ben @acme/CORE @acme\n*.md @ANA\n", modified("a.py"), modified("b.md"))
    assert [(path["owners"], path["files"]) for path in found["paths"]] == [
        (["user:work/7", "team:work/3#member", "organization:work/1#member"], ["a.py"]),
        ([change.author.ref], ["b.md"]),
    ]
    assert told(found) == []
    assert (found["commit"], found["file"], found["digest"]) == ("c" * 40, "CODEOWNERS", "sha256:0")


def test_old_names_of_moved_files_count_too():
    """Else a file could be moved away from its owners."""
    moved = ChangedFile(path="free/a", previous_path="docs/a", status=FileStatus.RENAMED)
    _, found = document("docs/ @ben\n", moved)
    assert [path["files"] for path in found["paths"]] == [["docs/a"]]


def test_rules_of_other_files_are_not_among_the_facts():
    """What is asked about is bounded by the change, not by the file."""
    _, found = document("a/ @ben\nb/ @nobody\n*.free\n", modified("a/x"), modified("x.free"), modified("y"))
    assert [path["pattern"] for path in found["paths"]] == ["a/"]
    assert told(found) == []


def test_what_names_nobody_is_told_and_owns_nothing():
    """Unknown, ambiguous, an address, a role, not a name at all: each with its place and what to do."""
    text = "* @nobody @twice ana@acme.example @@owner ben\n"
    _, found = document(text, modified("a"), dialect=CodeOwnersDialect.GITLAB)
    assert [path["owners"] for path in found["paths"]] == [[]]
    assert told(found) == [
        "1:3: expected an account, a team or an organisation that is known here, found '@nobody';"
        " correct the name, or give them access to the repository and synchronise again",
        "1:11: expected a name of one, found '@twice', the name of 2: user:work/8, user:work/9;"
        " it is one again when the forge has been synchronised",
        "1:18: expected a name, found a mail address: whose it is is not known here; name the account",
        "1:35: expected a name, found the role '@@owner': who has it is not looked up here; name accounts or groups",
        "1:43: expected an owner, found 'ben'; write @account, @organisation/team or a mail address",
    ]


def test_default_owner_who_is_nobody_is_told_once_at_the_sections_heading():
    """Where the name stands, not where it is used."""
    _, found = document("[Docs] @nobody\n*.md\n*.txt\n", modified("a.md"), modified("b.txt"), dialect=CodeOwnersDialect.GITLAB)
    assert [(path["line"], path["owners"]) for path in found["paths"]] == [(2, []), (3, [])]
    assert [line.partition(": ")[0] for line in told(found)] == ["1:8"]


def test_where_relations_are_kept_elsewhere_only_the_change_itself_knows_people():
    """Nobody is told that others do not exist; teams cannot be known at all."""
    change, found = document("* @ana @ben @acme/core\n", modified("a"), known=None)
    assert [path["owners"] for path in found["paths"]] == [[change.author.ref]]
    assert told(found) == [
        "1:13: '@acme/core' is not known: relations are kept elsewhere, and only those who take part in the change are known here;"
        " write the owners of this path where relations are kept"
    ]


def test_many_problems_are_counted():
    """Twenty are told, and how many more there are."""
    _, found = document("\n".join(f"/{n} ben" for n in range(30)), modified("x"))
    assert len(found["problems"]) == 21
    assert told(found)[-1].startswith("21:5: 10 more places name nobody, the first of them here; ")


def rule(pattern, line=1, section=""):
    return OwnerRule(line=line, pattern=pattern, matches=bool, section=section)


def test_objects_are_what_relations_take_and_each_rule_has_its_own():
    """Colons, hashes, blanks and any length; the same rule written twice is two."""
    taken: set[str] = set()
    assert path_object("repository:work/12", rule("src/*.py"), taken) == "path:work/12/src/*.py"
    assert path_object("repository:work/12", rule("src/*.py", line=4), taken) == "path:work/12/src/*.py~4"
    assert path_object("repository:work/12", rule("*", section="Docs: #1"), taken) == "path:work/12/[Docs%3A%20%231]*"
    assert path_object("repository:work/12", rule("é"), taken) == "path:work/12/%C3%A9"
    long = [path_object("repository:work/12", rule("é" * 500 + end), taken) for end in "ab"]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 256
