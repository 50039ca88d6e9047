"""`compare`: the same steps as a plain script and with checkpoints, both run and measured."""
