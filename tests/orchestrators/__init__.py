"""Real Airflow, Prefect and Dagster sit the targets' exam: `make test-targets`. Not a part of `make test`: each needs an
environment of its own, 250 MB and a minute to make."""
