package deploy.production_window_test

import data.deploy.production_window

in_hours := "2026-11-24T12:00:00Z"

at_night := "2026-11-24T22:00:00Z"

test_production_in_working_hours_passes if {
	denied(in_hours, {"environment": "production"}) == set()
	held(in_hours, {"environment": "production"}) == set()
}

test_production_at_night_is_denied if {
	denied(at_night, {"environment": "production"}) == {"deploy may not run now: production is changed mon tue from 09:00 until 16:00 (Europe/Berlin)"}
}

test_hours_are_local if {
	denied("2026-11-24T08:00:00Z", {}) == set()
	count(denied("2026-11-24T07:59:59Z", {})) == 1
	denied("2026-07-14T07:00:00Z", {}) == set()
	count(denied("2026-07-14T14:00:00Z", {})) == 1
}

test_other_days_are_closed if {
	count(denied("2026-11-25T12:00:00Z", {})) == 1
}

test_another_environment_is_always_open if {
	denied(at_night, {"environment": "staging"}) == set()
}

test_without_a_usable_label_it_is_production if {
	count(denied(at_night, {})) == 1
	count(denied(at_night, {"environment": ""})) == 1
	count(denied(at_night, {"environment": "Prod"})) == 1
	count(denied(at_night, {"environment": ["staging"]})) == 1
}

test_an_emergency_waits_for_somebody if {
	denied(at_night, {"emergency": "yes"}) == set()
	held(at_night, {"emergency": "yes"}) == {{
		"msg": "deploy is an emergency outside of working hours: someone has to agree",
		"relation": "on_call",
		"object": "environment:production",
		"count": 1,
		"expires": "2026-11-24T22:30:00Z",
	}}
}

test_what_is_no_emergency_waits_for_nobody if {
	held(at_night, {"emergency": "no"}) == set()
	count(denied(at_night, {"emergency": "no"})) == 1
}

test_elsewhere_nothing_ends if {
	expires := production_window.expires with input as document(in_hours, {"environment": "staging"})
	count(expires) == 0
}

test_an_emergency_in_working_hours_waits_for_nobody if {
	held(in_hours, {"emergency": "yes"}) == set()
}

test_verdicts_end_where_production_opens_or_closes if {
	ends(in_hours) == "2026-11-24T15:00:00Z"
	ends(at_night) == "2026-11-30T08:00:00Z"
}

test_not_knowing_denies if {
	count(denied(null, {"environment": "staging"})) == 1
	count(denied(in_hours, null)) == 1
}

test_unusable_parameters_deny if {
	every broken in [{"hours": null}, {"hours": [{"days": ["mon"], "from": "9", "until": "16:00"}]}, {"emergency": null}, {"time_zone": null}] {
		denials := production_window.deny with input as object.union(document(in_hours, {}), {"parameters": broken})
		count(denials) == 1
	}
}

denied(at, labels) := {denial.msg | some denial in denials} if {
	denials := production_window.deny with input as document(at, labels)
}

held(at, labels) := holds if {
	holds := production_window.hold with input as document(at, labels)
}

ends(at) := min(expires) if {
	expires := production_window.expires with input as document(at, {})
}

document(at, labels) := {
	"time": at,
	"workflow": {"name": "deploy", "labels": labels},
	"parameters": {
		"environment_label": "environment",
		"production": ["production", "prod"],
		"time_zone": "Europe/Berlin",
		"hours": [{"days": ["mon", "tue"], "from": "09:00", "until": "16:00"}],
		"emergency": {
			"label": "emergency",
			"value": "yes",
			"relation": "on_call",
			"object": "environment:production",
			"wait_minutes": 30,
		},
	},
}
