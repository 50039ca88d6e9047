"""Steps as they are written at work, in several engines: a review must find nothing in them.

They are read, never run. What they do was seen in public code (`public_code.toml`) and is written
anew here.
"""
