"""`python -m sightlab` is the command `sightlab`."""

import sys

from sightlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
