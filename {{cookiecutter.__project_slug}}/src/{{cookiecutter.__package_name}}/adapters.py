"""The place where this project registers codecs of its own, for types that the runtime lacks.

    from .checkpointing.codecs import Codec, register

    register(Codec("Money", "my_package.money.Money", "json", freeze=to_json, thaw=from_json))

This module is imported when a step's annotation has no codec of the runtime's.
"""
