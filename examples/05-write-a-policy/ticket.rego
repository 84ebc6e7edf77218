# METADATA
# title: A change names its ticket
# description: Somebody who looks for the reason of a change in a year finds it.
package merge.ticket

deny contains {
	"msg": "the title names no ticket",
	"remedy": sprintf("begin the title with one, like %s-17: …", [input.parameters.project]),
} if not named

named if regex.match(sprintf(`^%s-[0-9]+: `, [input.parameters.project]), input.change.title)
