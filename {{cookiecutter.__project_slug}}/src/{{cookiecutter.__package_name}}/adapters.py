"""The place where this project registers codecs and executors of its own.

A codec is for a type that the runtime lacks:

    from .checkpointing.codecs import Codec, register

    register(Codec("Money", "my_package.money.Money", "json", freeze=to_json, thaw=from_json))

An executor is for infrastructure on which a segment may run; docs/tenth-case.md has a complete one:

    from .checkpointing.executors import register

    register("big", Big)

This module is imported when a step's annotation has no codec of the runtime's, and when `kind` of
one of [executors] in pipeline.toml is none of its executors.
"""
