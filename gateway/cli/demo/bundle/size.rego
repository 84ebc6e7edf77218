# METADATA
# title: Small changes are read better
package demo.size

deny contains {
	"msg": sprintf("%d lines were added, %d are read well", [lines, input.parameters.lines]),
	"remedy": "split the change",
} if {
	lines > input.parameters.lines
}

lines := sum([file.additions | some file in input.change.files])
