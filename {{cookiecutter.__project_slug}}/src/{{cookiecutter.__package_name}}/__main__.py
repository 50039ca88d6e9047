"""`python -m` with the package's name runs the project's command line."""

import os
import sys

if __name__ == "__main__":
    # Python puts the current folder first, where `random.py` may be anybody's script. The installed
    # command looks for no module there. Nothing may be imported before, and the package stays.
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):
        del sys.path[0]
    if home not in sys.path:
        sys.path.append(home)

    from .cli import main

    main()
