package demo.release_test

import data.demo.release

change := {"base": {"ref": "release/1.4"}, "repository": {"ref": "repository:demo/1"}}

test_a_release_branch_waits_for_a_release_manager if {
	held := release.hold with input.change as change with input.parameters as {"relation": "release_manager"}
	some item in held
	item.object == "repository:demo/1"
	item.relation == "release_manager"
}
