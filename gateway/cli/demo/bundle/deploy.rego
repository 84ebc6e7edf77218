# METADATA
# title: Somebody else agrees to a deployment to production
package demo.deploy

hold contains {
	"msg": "somebody else has to agree to a deployment to production",
	"relation": input.parameters.relation,
	"object": "environment:production",
} if {
	input.workflow.labels.environment == "production"
}
