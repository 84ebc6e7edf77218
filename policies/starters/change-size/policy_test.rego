package merge.change_size_test

import data.merge.change_size

test_a_small_change_passes if {
	denied([file("a.py", 10, 5)]) == set()
	warned([file("a.py", 10, 5)]) == set()
}

test_a_change_without_files_passes if {
	denied([]) == set()
}

test_added_and_removed_lines_count_together if {
	denied([file("a.py", 60, 41)]) == {"101 lines are changed, at most 100 may be"}
	denied([file("a.py", 60, 40)]) == set()
}

test_the_largest_file_is_named if {
	some denial in change_size.deny with input as document([file("a.py", 60, 0), file("b.py", 90, 0)])
	denial.location == {"path": "b.py"}
}

test_files_count if {
	denied([file("a", 0, 0), file("b", 0, 0), file("c", 0, 0), file("d", 0, 0)]) == {"4 files are changed, at most 3 may be"}
}

test_as_many_files_as_allowed_pass if {
	denied([file("a", 0, 0), file("b", 0, 0), file("c", 0, 0)]) == set()
}

test_only_two_leading_stars_stand_for_no_folder if {
	denied([file("dor/x.go", 101, 0)]) == {"101 lines are changed, at most 100 may be"}
}

test_what_is_denied_is_not_warned_of_as_well if {
	warned([file("a.py", 101, 0)]) == set()
	count(warned([file("a.py", 100, 0)])) == 1
}

test_ignored_files_do_not_count if {
	denied([file("poetry.lock", 999, 0), file("web/yarn.lock", 999, 0), file("vendor/x/y.go", 999, 0), file("a", 1, 0)]) == set()
}

test_a_large_change_that_is_allowed_is_warned_of if {
	warned([file("a.py", 50, 0)]) == {"50 lines are changed; reviews find less from 50 lines on"}
	warned([file("a.py", 49, 0)]) == set()
}

test_facts_the_forge_cannot_give_deny if {
	count(denied(null)) == 1
	count(denied([{"path": "a.py", "additions": null, "deletions": 0}])) == 1
	count(denied([{"path": "a.py", "additions": 1}])) == 1
}

test_unusable_parameters_deny if {
	every key in ["max_lines", "max_files", "warn_lines", "ignore"] {
		denials := change_size.deny with input as object.union(document([]), {"parameters": {key: "many"}})
		count(denials) == 1
	}
}

denied(files) := {denial.msg | some denial in denials} if {
	denials := change_size.deny with input as document(files)
}

warned(files) := {warning.msg | some warning in warnings} if {
	warnings := change_size.warn with input as document(files)
}

document(files) := {
	"change": {"files": files},
	"parameters": {"max_lines": 100, "max_files": 3, "warn_lines": 50, "ignore": ["**/*.lock", "vendor/**"]},
}

file(path, additions, deletions) := {"path": path, "additions": additions, "deletions": deletions}
