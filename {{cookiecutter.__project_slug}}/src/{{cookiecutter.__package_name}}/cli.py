"""The project's command line: the pattern's commands, and the place to add your own."""


def main() -> None:
    """Run the command that was typed.

    Workers import this module too: import inside functions, so that they start at once.
    """
    from .checkpointing.cli import application

    application(__package__)()
