"""`python -m` with the package's name runs the project's command line."""

from .cli import main

if __name__ == "__main__":
    main()
