# METADATA
# title: Nothing is merged while a freeze is on
# description: >-
#   `periods` come once, `weekly` hours come every week; both say their reason and are in
#   `time_zone`. A change with the exception's label goes through when somebody with the
#   exception's relation to the repository has approved it. Verdicts end when a freeze begins or ends.
package merge.freeze_windows

import data.admit

questions contains admit.question(person, input.parameters.exception.relation, input.change.repository.ref) if {
	readable
	count(freezes) > 0
	exceptional
	some person in approvers
}

deny contains {
	"msg": sprintf("merging is frozen until %s (%s): %s", [freeze.until, input.parameters.time_zone, freeze.reason]),
	"remedy": sprintf("wait, or set the label '%s' and ask someone who is %s of the repository to approve", [
		input.parameters.exception.label,
		input.parameters.exception.relation,
	]),
	"who": {"relation": input.parameters.exception.relation, "object": input.change.repository.ref},
} if {
	readable
	some freeze in freezes
	not excepted
}

deny contains {
	"msg": "it is not known whether a freeze is on: time, repository or labels are missing, or the policy's parameters are unusable",
	"remedy": "mend the policy's parameters (times as \"2026-12-19T18:00\", days as mon to sun), or judge again",
} if {
	not readable
}

expires contains rfc3339(moment) if {
	readable
	some moment in turns
	moment > now
}

freezes contains {"until": replace(period.until, "T", " "), "reason": period.reason} if {
	some period in input.parameters.periods
	period.from <= local_moment
	local_moment < period.until
}

freezes contains {"until": hours.until, "reason": hours.reason} if {
	some hours in input.parameters.weekly
	in_hours(hours)
}

turns contains moment if {
	some period in input.parameters.periods
	some text in [period.from, period.until]
	some moment in moments_of(text)
}

turns contains moment if {
	some hours in input.parameters.weekly
	some moment in turns_of(hours)
}

excepted if {
	exceptional
	some person in approvers
	admit.related(person, input.parameters.exception.relation, input.change.repository.ref)
}

exceptional if {
	approvers_readable
	count(unattributed) == 0
	lower(input.parameters.exception.label) in {lower(label) | some label in input.change.labels}
}

readable if {
	time_readable
	is_string(input.change.repository.ref)
	is_string(input.parameters.exception.label)
	is_string(input.parameters.exception.relation)
	is_array(input.parameters.periods)
	every period in input.parameters.periods {
		is_moment(period.from)
		is_moment(period.until)
		period.from < period.until
		is_string(period.reason)
	}
	is_array(input.parameters.weekly)
	every hours in input.parameters.weekly {
		is_hours(hours)
		is_string(hours.reason)
	}
}
