"""Pure tests of targets: what needs no orchestrator."""
