# METADATA
# title: Who may deploy what
package deploy.rules

deny contains {
	"msg": sprintf("'%s' is no released version", [input.workflow.input.version]),
	"remedy": "choose one like 1.4.2",
} if not regex.match(`^[0-9]+\.[0-9]+\.[0-9]+$`, input.workflow.input.version)

hold contains {
	"msg": "production waits for a second person",
	"relation": "approver",
	"object": "environment:production",
} if input.workflow.input.environment == "production"
