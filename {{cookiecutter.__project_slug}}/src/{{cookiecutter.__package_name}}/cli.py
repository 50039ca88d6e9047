"""The project's command line: the pattern's commands, and the place to add your own.

Nothing heavy is imported here before it is needed: worker processes import this module again.
"""


def main() -> None:
    """Run the command that was typed."""
    from .checkpointing.start import start

    start()  # before anything else

    from .checkpointing.cli import application

    application(str(__package__))()
