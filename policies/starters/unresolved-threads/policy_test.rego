package merge.unresolved_threads_test

import data.merge.unresolved_threads

test_no_thread_passes if {
	denied([]) == set()
}

test_resolved_threads_pass if {
	denied([thread("a.py", true), thread(null, true)]) == set()
}

test_open_threads_are_counted_by_file if {
	denied([thread("a.py", false), thread("a.py", false), thread("a.py", true), thread("b.py", false)]) == {
		"2 threads are not resolved on a.py",
		"1 thread is not resolved on b.py",
	}
}

test_the_file_is_the_location if {
	some denial in unresolved_threads.deny with input as {"change": {"threads": [thread("a.py", false)]}}
	denial.location == {"path": "a.py"}
}

test_a_thread_outside_files_counts if {
	denied([thread(null, false)]) == {"1 thread is not resolved on the change as a whole"}
}

test_a_thread_nobody_can_tell_of_is_open if {
	denied([thread("a.py", null)]) == {"1 thread is not resolved on a.py"}
	denied([{"path": "a.py"}]) == {"1 thread is not resolved on a.py"}
}

test_not_knowing_denies if {
	denied(null) == {"it is not known whether there are unresolved discussions"}
	denied([{"resolved": false}]) == {"it is not known whether there are unresolved discussions"}
}

denied(threads) := {denial.msg | some denial in denials} if {
	denials := unresolved_threads.deny with input as {"change": {"threads": threads}}
}

thread(path, resolved) := {"path": path, "resolved": resolved}
