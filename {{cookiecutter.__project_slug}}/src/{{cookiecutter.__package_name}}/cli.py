"""The project's command line: the pattern's commands, and the place to add your own.

Nothing heavy is imported here before it is needed: worker processes import this module again.
"""

import sys


def main() -> None:
    """Run the command that was typed."""
    from .checkpointing.base.interrupts import listen

    listen()  # before anything else: from here on an interrupt ends this without a traceback
    from .checkpointing.run.processes import warm_up

    if sys.argv[1:] and not {"--help", "review"} & set(sys.argv):
        warm_up()  # libraries load in the fork server while the command line loads its own

    from .checkpointing.cli import application

    application(str(__package__))()
