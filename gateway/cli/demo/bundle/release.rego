# METADATA
# title: Release branches wait for a release manager
package demo.release

hold contains {
	"msg": sprintf("a release manager has to agree to what goes into %s", [input.change.base.ref]),
	"relation": input.parameters.relation,
	"object": input.change.repository.ref,
	"count": 1,
}
