# METADATA
# title: Production is changed in working hours
# description: >-
#   A workflow runs against production unless a label says it runs elsewhere. Outside of `hours`
#   it is denied, or, where it carries the emergency label, held until somebody who may says yes.
package deploy.production_window

deny contains {
	"msg": sprintf("%s may not run now: production is changed %s (%s)", [input.workflow.name, opening, input.parameters.time_zone]),
	"remedy": sprintf("submit it then; in an emergency set the label %s to %s", [
		input.parameters.emergency.label,
		input.parameters.emergency.value,
	]),
	"who": {"relation": input.parameters.emergency.relation, "object": input.parameters.emergency.object},
} if {
	readable
	closed
	not emergency
}

hold contains {
	"msg": sprintf("%s is an emergency outside of working hours: someone has to agree", [input.workflow.name]),
	"relation": input.parameters.emergency.relation,
	"object": input.parameters.emergency.object,
	"count": 1,
	"expires": rfc3339(now + (input.parameters.emergency.wait_minutes * minute)),
} if {
	readable
	closed
	emergency
}

deny contains {
	"msg": "it is not known whether production is open: time or workflow are missing, or the policy's parameters are unusable",
	"remedy": "mend the policy's parameters (times as \"09:00\", days as mon to sun), or submit again",
} if {
	not readable
}

expires contains rfc3339(moment) if {
	readable
	not elsewhere
	some hours in input.parameters.hours
	some moment in turns_of(hours)
	moment > now
}

closed if {
	not elsewhere
	not open
}

open if {
	some hours in input.parameters.hours
	in_hours(hours)
}

# Only a text that names another environment says so: whatever is missing or odd is production.
elsewhere if {
	label := input.workflow.labels[input.parameters.environment_label]
	is_string(label)
	label != ""
	not lower(label) in {lower(environment) | some environment in input.parameters.production}
}

emergency if input.workflow.labels[input.parameters.emergency.label] == input.parameters.emergency.value

opening := concat(", ", [sprintf("%s from %s until %s", [concat(" ", hours.days), hours.from, hours.until]) |
	some hours in input.parameters.hours
])

minute := 60 * 1000000000

readable if {
	time_readable
	is_string(input.workflow.name)
	is_object(input.workflow.labels)
	is_string(input.parameters.environment_label)
	is_array(input.parameters.production)
	every environment in input.parameters.production {
		is_string(environment)
	}
	is_array(input.parameters.hours)
	every hours in input.parameters.hours {
		is_hours(hours)
	}
	is_string(input.parameters.emergency.label)
	is_string(input.parameters.emergency.value)
	is_string(input.parameters.emergency.relation)
	is_string(input.parameters.emergency.object)
	is_number(input.parameters.emergency.wait_minutes)
}
