package demo.deploy_test

import data.demo.deploy

test_production_waits if count(held("production")) == 1

test_staging_does_not if count(held("staging")) == 0

held(environment) := holds if {
	holds := deploy.hold with input as {
		"workflow": {"labels": {"environment": environment}},
		"parameters": {"relation": "approver"},
	}
}
