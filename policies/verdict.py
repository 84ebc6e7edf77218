"""Sans-IO: plan a judgement, and judge."""
