package deploy.two_person_test

import data.deploy.two_person

test_a_person_needs_one_more if {
	held(person, {}) == {{
		"msg": "deploy waits for 1 more of those who are deployer of environment:production",
		"relation": "deployer",
		"object": "environment:production",
		"count": 1,
		"expires": "2026-11-25T12:00:00Z",
	}}
	denied(person, {}) == set()
}

test_a_program_needs_two if {
	some hold in held(object.union(person, {"kind": "bot"}), {})
	hold.count == 2
}

test_more_people_can_be_asked_for if {
	some hold in held(person, {"people": 4})
	hold.count == 3
}

test_fewer_than_two_is_no_two_person_rule if {
	count(denied(person, {"people": 1})) == 1
}

test_elsewhere_nobody_else_is_needed if {
	holds := two_person.hold with input as document(person, {"environment_label": "tier", "production": ["gold"]})
		with input.workflow.labels as {"tier": "silver"}
	count(holds) == 0
}

test_without_a_usable_label_it_is_production if {
	every labels in [{}, {"environment": ""}, {"environment": null}, {"environment": "Production"}] {
		holds := two_person.hold with input as document(person, {}) with input.workflow.labels as labels
		count(holds) == 1
	}
}

test_not_knowing_denies if {
	every subject in [null, {}, {"kind": "user"}, {"kind": null, "ref": "user:work/1"}] {
		count(denied(subject, {})) == 1
		held(subject, {}) == set()
	}
}

test_unusable_parameters_deny if {
	every broken in [{"people": null}, {"relation": ""}, {"object": null}, {"wait_hours": "24"}] {
		count(denied(person, broken)) == 1
	}
}

held(subject, changed) := holds if {
	holds := two_person.hold with input as document(subject, changed)
}

denied(subject, changed) := denials if {
	denials := two_person.deny with input as document(subject, changed)
}

document(subject, changed) := {
	"time": "2026-11-24T12:00:00Z",
	"subject": subject,
	"workflow": {"name": "deploy", "labels": {"environment": "production"}},
	"parameters": object.union(
		{
			"people": 2,
			"relation": "deployer",
			"object": "environment:production",
			"environment_label": "environment",
			"production": ["production"],
			"wait_hours": 24,
		},
		changed,
	),
}

person := {"id": "1", "login": "ana", "kind": "user", "ref": "user:work/1"}
