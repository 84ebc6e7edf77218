package deploy.rules_test

import data.deploy.rules

test_a_release_goes_to_staging if {
	request := {"workflow": {"input": {"version": "1.4.2", "environment": "staging"}}}
	count(rules.deny) == 0 with input as request
	count(rules.hold) == 0 with input as request
}

test_a_branch_is_no_version if {
	count(rules.deny) == 1 with input as {"workflow": {"input": {"version": "main", "environment": "staging"}}}
}

test_production_waits if {
	count(rules.hold) == 1 with input as {"workflow": {"input": {"version": "1.4.2", "environment": "production"}}}
}
