package merge.protected_paths_test

import data.merge.protected_paths

ana := person("1", "ana")

ben := person("2", "ben")

cleo := person("3", "cleo")

test_a_change_elsewhere_needs_nothing if {
	denied(change([modified("src/a.py")], [])) == set()
}

test_a_protected_file_needs_an_approval_by_its_people if {
	proposed := change([modified("src/a.py"), modified("deploy/x.yaml")], [])
	denied(proposed) == {{
		"msg": "deploy/x.yaml: 0 of 1 needed approvals by member of team:platform",
		"remedy": "ask for a review by someone who is member of team:platform",
		"who": {"relation": "member", "object": "team:platform"},
		"location": {"path": "deploy/x.yaml"},
	}}
}

test_an_approval_by_one_of_its_people_is_enough if {
	denied(change([modified("deploy/x.yaml")], [approved(ben)])) == set()
}

test_an_approval_by_others_is_not if {
	count(denied(change([modified("deploy/x.yaml")], [approved(cleo)]))) == 1
}

test_the_author_cannot_approve_although_of_the_team if {
	count(denied(change([modified("deploy/x.yaml")], [approved(ana)]))) == 1
}

test_moving_a_protected_file_away_needs_its_people if {
	moved := {"path": "elsewhere.yaml", "previous_path": "deploy/x.yaml", "status": "renamed"}
	{denial.location.path | some denial in denied(change([moved], []))} == {"deploy/x.yaml"}
}

test_a_rename_without_its_old_name_denies if {
	every previous in [null, 7] {
		moved := {"path": "elsewhere.yaml", "previous_path": previous, "status": "renamed"}
		count(denied(change([moved], []))) == 1
	}
	moved := {"path": "elsewhere.yaml", "status": "modified"}
	count(denied(change([moved], []))) == 1
}

test_two_stars_also_stand_for_no_folder if {
	count(denied(change([modified("secrets.env")], []))) == 1
	count(denied(change([modified("a/b/secrets.env")], []))) == 1
	count(denied(change([modified("loy/x.yaml")], []))) == 0
}

test_only_approvers_of_touched_paths_are_asked_for if {
	asked := protected_paths.questions with input as document(change([modified("deploy/x.yaml")], [approved(ben), approved(ana)]))
	asked == {{"user": ben.ref, "relation": "member", "object": "team:platform"}}
	nothing := protected_paths.questions with input as document(change([modified("src/a.py")], [approved(ben)]))
	nothing == set()
}

test_a_commit_of_nobody_known_matters_where_a_protected_path_is_touched if {
	nobody := {"commits": [{
		"sha": "c1",
		"parents": [],
		"via_web": false,
		"author": {"actor": null},
		"committer": {"actor": null},
	}]}
	denials := denied(object.union(change([modified("deploy/x.yaml")], [approved(ben)]), nobody))
	{denial.msg | some denial in denials} == {"it is not known who wrote c1, so an approval could be the writer's own"}
	count(denied(object.union(change([modified("src/a.py")], []), nobody))) == 0
}

test_facts_the_forge_cannot_give_deny if {
	every missing in ["reviews", "commits", "author", "head", "files"] {
		count(denied(object.union(change([], []), {missing: null}))) == 1
		count(denied(object.remove(change([], []), {missing}))) == 1
	}
}

denied(proposed) := reasons if {
	reasons := protected_paths.deny with input as document(proposed)
}

document(proposed) := {
	"change": proposed,
	"relations": {"team:platform": {"member": {"user:work/1": true, "user:work/2": true, "user:work/3": false}}},
	"parameters": {
		"paths": [{
			"globs": ["deploy/**", "**/*.env"],
			"relation": "member",
			"object": "team:platform",
			"approvals": 1,
		}],
		"ignore_committers": true,
		"allow_unknown_committers": false,
		"ignore_base_merges": false,
		"ignore_commits_by": [],
	},
}

change(files, reviews) := {
	"author": ana,
	"head": {"sha": "c1"},
	"commits": [{
		"sha": "c1",
		"parents": ["b0"],
		"via_web": false,
		"author": {"actor": ana},
		"committer": {"actor": ana},
	}],
	"files": files,
	"reviews": reviews,
}

modified(path) := {"path": path, "previous_path": null, "status": "modified"}

approved(user) := {"user": user, "state": "approved", "commit_sha": "c1", "dismissed": false}

person(id, login) := {"id": id, "login": login, "kind": "user", "ref": sprintf("user:work/%s", [id])}
