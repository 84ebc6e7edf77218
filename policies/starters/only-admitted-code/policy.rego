# METADATA
# title: Only admitted code runs in production
# description: >-
#   What a workflow deploys to production has to be a commit that was merged into one of `branches`
#   through the gate: while the decision in force admitted it, not past it, and under an override
#   only where `overrides` says so. The gateway looks the commit up in its own record; what the
#   submitter says of it counts for nothing. A workflow runs against production unless a label
#   says it runs elsewhere.
package deploy.only_admitted_code

deny contains {
	"msg": sprintf("%s does not say which commit it deploys", [input.workflow.name]),
	"remedy": "submit it with source: repository, ref and sha",
} if {
	readable
	not elsewhere
	is_null(input.workflow.source)
}

deny contains {
	"msg": sprintf("nothing is on record of commit %s of %s", [short, source.repository]),
	"remedy": "merge it through a change that the gateway judges, then deploy what was merged",
} if {
	readable
	not elsewhere
	is_null(source.admission)
}

deny contains {
	"msg": sprintf("commit %s was merged past the gate", [short]),
	"remedy": "revert it, or bring it in again through a change that is admitted",
} if {
	readable
	not elsewhere
	source.admission.merged == "bypass"
}

deny contains {
	"msg": sprintf("commit %s was merged under an override", [short]),
	"remedy": "have its change judged and admitted after all: revert it and bring it in again",
} if {
	readable
	not elsewhere
	source.admission.merged == "override"
	input.parameters.overrides == false
}

deny contains {
	"msg": sprintf("commit %s has not been merged", [short]),
	"remedy": "merge its change, then deploy what was merged",
} if {
	readable
	not elsewhere
	not is_null(source.admission)
	is_null(source.admission.merged)
}

deny contains {
	"msg": sprintf("commit %s was merged into %s, not into %s", [
		short,
		source.admission.target_branch,
		concat(" or ", input.parameters.branches),
	]),
	"remedy": "deploy from one of those branches",
} if {
	readable
	not elsewhere
	source.admission.merged in {"gate", "override"}
	not source.admission.target_branch in input.parameters.branches
}

deny contains {
	"msg": "it is not known what this workflow is or which commit it deploys, or the policy's parameters are unusable",
	"remedy": "mend the policy's parameters, or submit again",
} if {
	not readable
}

# Only a text that names another environment says so: whatever is missing or odd is production.
elsewhere if {
	label := input.workflow.labels[input.parameters.environment_label]
	is_string(label)
	label != ""
	not lower(label) in {lower(environment) | some environment in input.parameters.production}
}

source := input.workflow.source

short := substring(source.sha, 0, 10)

readable if {
	is_string(input.workflow.name)
	is_object(input.workflow.labels)
	source_readable
	is_string(input.parameters.environment_label)
	is_array(input.parameters.production)
	every environment in input.parameters.production {
		is_string(environment)
	}
	is_array(input.parameters.branches)
	every branch in input.parameters.branches {
		is_string(branch)
	}
	is_boolean(input.parameters.overrides)
}

source_readable if is_null(source)

source_readable if {
	is_string(source.repository)
	is_string(source.sha)
	admission_readable
}

admission_readable if is_null(source.admission)

admission_readable if {
	source.admission.outcome in {"admitted", "denied", "held", "undecided", null}
	is_null(source.admission.merged)
	is_string(source.admission.target_branch)
}

admission_readable if {
	source.admission.outcome in {"admitted", "denied", "held", "undecided", null}
	source.admission.merged in {"override", "bypass"}
	is_string(source.admission.target_branch)
}

# "gate" is only believable of a commit that was admitted.
admission_readable if {
	source.admission.outcome == "admitted"
	source.admission.merged == "gate"
	is_string(source.admission.target_branch)
}
