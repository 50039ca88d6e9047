"""Files for people and other programs: what `[outputs]` publishes besides the exact formats.

No step reads them. They are made from the checkpoint, in a process of their own, so they may leave
out what their format has no place for.
"""
