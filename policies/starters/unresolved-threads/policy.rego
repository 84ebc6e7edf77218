# METADATA
# title: Every discussion is resolved
# description: >-
#   A thread of which the forge cannot say whether it is resolved is not.
package merge.unresolved_threads

deny contains {
	"msg": sprintf("%s not resolved on %s", [counted(number), path]),
	"remedy": "answer, then resolve what is settled",
	"location": {"path": path},
} if {
	readable
	some path, number in open_on
}

deny contains {
	"msg": sprintf("%s not resolved on the change as a whole", [counted(count(open_elsewhere))]),
	"remedy": "answer, then resolve what is settled",
} if {
	readable
	count(open_elsewhere) > 0
}

deny contains {
	"msg": "it is not known whether there are unresolved discussions",
	"remedy": "this forge may not tell; if it does, judge again",
} if {
	not readable
}

open_on[path] := number if {
	some path in {thread.path | some thread in open_threads; is_string(thread.path)}
	number := count([thread | some thread in open_threads; thread.path == path])
}

open_elsewhere := [thread | some thread in open_threads; is_null(thread.path)]

open_threads := [thread | some thread in input.change.threads; not resolved(thread)]

resolved(thread) if thread.resolved == true

counted(number) := "1 thread is" if number == 1

counted(number) := sprintf("%d threads are", [number]) if number != 1

readable if {
	is_array(input.change.threads)
	every thread in input.change.threads {
		string_or_null(thread.path)
	}
}

string_or_null(value) if is_string(value)

string_or_null(value) if is_null(value)
