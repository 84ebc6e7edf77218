package deploy.only_admitted_code_test

import data.deploy.only_admitted_code

test_what_was_merged_through_the_gate_passes if {
	denied({}, admitted({})) == set()
}

test_no_source_is_denied if {
	denied({}, null) == {"deploy does not say which commit it deploys"}
}

test_a_commit_nobody_knows_is_denied if {
	denied({}, null_admission) == {"nothing is on record of commit aaaaaaaaaa of acme/shop"}
}

test_a_bypass_is_denied_whatever_was_decided if {
	denied({}, admitted({"merged": "bypass"})) == {"commit aaaaaaaaaa was merged past the gate"}
	denied({}, admitted({"merged": "bypass", "outcome": null})) == {"commit aaaaaaaaaa was merged past the gate"}
}

test_an_override_is_denied_unless_it_is_wanted if {
	denied({}, admitted({"merged": "override", "outcome": "denied"})) == {"commit aaaaaaaaaa was merged under an override"}
	wanted := object.union(document({}, admitted({"merged": "override", "outcome": "denied"})), {"parameters": {"overrides": true}})
	denials := only_admitted_code.deny with input as wanted
	count(denials) == 0
}

test_admitted_and_not_merged_is_denied if {
	denied({}, admitted({"merged": null})) == {"commit aaaaaaaaaa has not been merged"}
}

test_another_branch_is_denied if {
	denied({}, admitted({"target_branch": "next"})) == {"commit aaaaaaaaaa was merged into next, not into main or release"}
}

test_elsewhere_everything_runs if {
	denied({"environment": "staging"}, null) == set()
	denied({"environment": "staging"}, null_admission) == set()
}

test_without_a_usable_label_it_is_production if {
	every labels in [{"environment": ""}, {"environment": "PROD"}, {"environment": ["staging"]}, {"other": "staging"}] {
		count(denied(labels, null)) == 1
	}
}

test_not_knowing_denies if {
	every broken in [
		admitted({"merged": "perhaps"}),
		admitted({"outcome": "denied"}),
		admitted({"target_branch": null}),
		{"repository": "acme/shop", "sha": null, "admission": null},
		{"sha": "a"},
		"main",
	] {
		count(denied({}, broken)) == 1
	}
}

test_unusable_parameters_deny if {
	every broken in [{"branches": null}, {"branches": [1]}, {"overrides": null}, {"production": "prod"}, {"environment_label": null}] {
		denials := only_admitted_code.deny with input as object.union(document({}, admitted({})), {"parameters": broken})
		count(denials) == 1
	}
}

null_admission := {"repository": "acme/shop", "ref": "main", "sha": "aaaaaaaaaaaaaaaa", "admission": null}

admitted(fields) := object.union(null_admission, {"admission": object.union(
	{"outcome": "admitted", "merged": "gate", "target_branch": "main"},
	fields,
)})

denied(labels, source) := {denial.msg | some denial in denials} if {
	denials := only_admitted_code.deny with input as document(labels, source)
}

document(labels, source) := {
	"workflow": {"name": "deploy", "labels": labels, "source": source},
	"parameters": {
		"environment_label": "environment",
		"production": ["production", "prod"],
		"branches": ["main", "release"],
		"overrides": false,
	},
}
