# METADATA
# title: Two people are behind every run
# description: >-
#   Whoever submits is the first; the gateway waits for as many others with the relation as
#   `people` still wants. A program is nobody: what it submits waits for all of them. A workflow
#   runs against production unless a label says it runs elsewhere.
package deploy.two_person

hold contains {
	"msg": sprintf("%s waits for %d more of those who are %s of %s", [
		input.workflow.name,
		missing,
		input.parameters.relation,
		input.parameters.object,
	]),
	"relation": input.parameters.relation,
	"object": input.parameters.object,
	"count": missing,
	"expires": time.format([expiry, "UTC", "2006-01-02T15:04:05Z07:00"]),
} if {
	readable
	not elsewhere
}

deny contains {
	"msg": "it is not known who submits this, what it is or when, or the policy's parameters are unusable",
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

missing := input.parameters.people - submitters

submitters := 1 if input.subject.kind == "user"

submitters := 0 if input.subject.kind != "user"

expiry := time.parse_rfc3339_ns(input.time) + (((input.parameters.wait_hours * 60) * 60) * 1000000000)

readable if {
	is_string(input.time)
	is_string(input.subject.ref)
	input.subject.kind in {"user", "bot", "ghost"}
	is_string(input.workflow.name)
	is_object(input.workflow.labels)
	is_string(input.parameters.environment_label)
	is_array(input.parameters.production)
	every environment in input.parameters.production {
		is_string(environment)
	}
	input.parameters.relation != ""
	is_string(input.parameters.relation)
	is_string(input.parameters.object)
	is_number(input.parameters.people)
	input.parameters.people >= 2
	is_number(input.parameters.wait_hours)
}
