"""ENFORCE: receive, judge, record, report."""
