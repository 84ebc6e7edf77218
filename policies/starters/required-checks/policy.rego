# METADATA
# title: The required checks have passed
# description: >-
#   Each entry of `checks` names a check, who has to have reported it, and which conclusions are
#   good enough. Only checks of the newest commit count. With source `*` every report of that name
#   has to be good, so nobody can cover a failure by reporting a success under the same name.
package merge.required_checks

deny contains {
	"msg": sprintf("the check '%s' has not been reported by %s", [wanted.name, reporter(wanted)]),
	"remedy": "start the check on the newest commit, and see why it does not report",
} if {
	readable
	some wanted in input.parameters.checks
	count(reports(wanted)) == 0
}

deny contains {
	"msg": sprintf("the check '%s' has not finished", [wanted.name]),
	"remedy": "wait for it",
} if {
	readable
	some wanted in input.parameters.checks
	some report in reports(wanted)
	report.state != "completed"
}

deny contains {
	"msg": sprintf("the check '%s' ended as %v, %s is needed", [wanted.name, report.conclusion, concat(" or ", wanted.conclusions)]),
	"remedy": remedy(report),
} if {
	readable
	some wanted in input.parameters.checks
	some report in reports(wanted)
	report.state == "completed"
	not report.conclusion in wanted.conclusions
}

deny contains {
	"msg": "the checks of this change are not known in full",
	"remedy": "judge again; if it stays so, the forge or its connection withholds them",
} if {
	not readable
}

reports(wanted) := [check |
	some check in input.change.checks
	check.sha == input.change.head.sha
	check.name == wanted.name
	wanted.source in {"*", check.source}
]

reporter(wanted) := "anybody" if wanted.source == "*"

reporter(wanted) := wanted.source if wanted.source != "*"

remedy(report) := sprintf("see %s, mend it and push", [report.url]) if is_string(report.url)

remedy(report) := "mend it and push" if not is_string(report.url)

readable if {
	is_string(input.change.head.sha)
	is_array(input.change.checks)
	every check in input.change.checks {
		is_string(check.name)
		is_string(check.sha)
		check.state in {"pending", "completed"}
		known_or_null(check, "conclusion")
		known_or_null(check, "source")
		known_or_null(check, "url")
	}
	is_array(input.parameters.checks)
	every wanted in input.parameters.checks {
		is_string(wanted.name)
		is_string(wanted.source)
		is_array(wanted.conclusions)
		every conclusion in wanted.conclusions {
			is_string(conclusion)
		}
	}
}

known_or_null(check, key) if is_string(check[key])

known_or_null(check, key) if is_null(check[key])
