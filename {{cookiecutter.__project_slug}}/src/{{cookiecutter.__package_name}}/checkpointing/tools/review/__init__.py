"""The review standard as checks: reads the project's source, runs none of it, reports findings.

Checks are functions that take a `Project` and yield `Finding`s. Only `standard.py` describes each
rule and its reason; `docs/review-standard.md` of the project shows an example of each.
"""
