"""The review standard as checks: reads the project's source, runs none of it, reports findings.

Rules are functions that take a `Project` and yield `Finding`s. What each rule wants, and why, is
said once, in `standard.py`; `docs/review-standard.md` of the project shows an example of each.
"""
