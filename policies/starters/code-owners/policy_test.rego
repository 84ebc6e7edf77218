package merge.code_owners_test

import data.merge.code_owners

ana := person("1", "ana")

ben := person("2", "ben")

cleo := person("3", "cleo")

docs := owned("docs/", ["user:work/2"], ["docs/b.md", "docs/a.md"])

test_a_change_of_files_without_owners_needs_nothing if {
	denied([], []) == set()
}

test_a_file_with_owners_needs_one_of_them if {
	denied([docs], []) == {{
		"msg": "docs/a.md: 0 of 1 needed approvals by the code owners of docs/",
		"remedy": "ask a code owner who has no part in this change for a review",
		"who": {"relation": "owner", "object": "path:work/1/docs/"},
		"location": {"path": "docs/a.md"},
	}}
}

test_an_approval_by_an_owner_is_enough if {
	denied([docs], [approved(ben)]) == set()
}

test_an_approval_by_others_is_not if {
	count(denied([docs], [approved(cleo)])) == 1
}

test_an_owner_cannot_approve_their_own_change if {
	count(denied([docs], [approved(ana)])) == 1
}

test_every_rule_needs_its_own_owners if {
	source := owned("src/", ["user:work/3"], ["src/a.py"])
	{denial.who.object | some denial in denied([docs, source], [approved(ben)])} == {"path:work/1/src/"}
	denied([docs, source], [approved(ben), approved(cleo)]) == set()
}

test_a_section_may_ask_for_more_and_may_only_ask if {
	section := object.union(docs, {"section": "Docs", "approvals": 2})
	{denial.msg | some denial in denied([section], [approved(ben)])} == {"docs/a.md: 1 of 2 needed approvals by the code owners of docs/, section Docs"}
	denied([object.union(section, {"optional": true})], []) == set()
}

test_owners_who_are_nobody_cannot_approve if {
	some denial in denied([owned("docs/", [], ["docs/a.md"])], [approved(cleo)])
	denial.remedy == "line 3 of CODEOWNERS names nobody who is known here: correct it"
}

test_approvers_are_asked_for_each_path_and_nobody_else if {
	asked := code_owners.questions with input as document([docs, object.union(docs, {"object": "path:work/1/x", "optional": true})], [approved(ben), approved(ana)])
	asked == {{"user": ben.ref, "relation": "owner", "object": "path:work/1/docs/"}}
}

test_a_commit_of_nobody_known_could_be_the_owners if {
	proposed := object.union(document([docs], [approved(ben)]), {"change": {"commits": [{
		"sha": "c1",
		"parents": [],
		"via_web": false,
		"author": {"actor": null},
		"committer": {"actor": null},
	}]}})
	denials := code_owners.deny with input as proposed
	{denial.msg | some denial in denials} == {"it is not known who wrote c1, so an approval could be the writer's own"}
}

test_facts_that_are_not_known_deny if {
	every missing in ["reviews", "commits", "author", "head"] {
		without := object.union(document([docs], [approved(ben)]), {"change": {missing: null}})
		denials := code_owners.deny with input as without
		count(denials) == 1
	}
	every without in [object.remove(document([], []), ["code_owners"]), object.union(document([], []), {"code_owners": null})] {
		denials := code_owners.deny with input as without
		count(denials) == 1
	}
}

denied(paths, reviews) := denials if {
	denials := code_owners.deny with input as document(paths, reviews)
}

document(paths, reviews) := {
	"change": {
		"author": ana,
		"head": {"sha": "c1"},
		"commits": [{
			"sha": "c1",
			"parents": ["b0"],
			"via_web": false,
			"author": {"actor": ana},
			"committer": {"actor": ana},
		}],
		"reviews": reviews,
	},
	"code_owners": {"paths": paths},
	"relations": {
		"path:work/1/docs/": {"owner": {"user:work/1": true, "user:work/2": true, "user:work/3": false}},
		"path:work/1/src/": {"owner": {"user:work/1": false, "user:work/2": false, "user:work/3": true}},
	},
	"parameters": {
		"ignore_committers": true,
		"allow_unknown_committers": false,
		"ignore_base_merges": false,
		"ignore_commits_by": [],
	},
}

owned(pattern, owners, files) := {
	"object": sprintf("path:work/1/%s", [pattern]),
	"pattern": pattern,
	"line": 3,
	"section": "",
	"approvals": 1,
	"optional": false,
	"owners": owners,
	"files": files,
}

approved(user) := {"user": user, "state": "approved", "commit_sha": "c1", "dismissed": false}

person(id, login) := {"id": id, "login": login, "kind": "user", "ref": sprintf("user:work/%s", [id])}
