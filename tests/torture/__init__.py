"""Runs that hurt: for minutes, against a model of what has to come out. `make torture`; shorter ones are in `make test`."""
