"""`python -m sightlab` is the command `sightlab`."""

import sys

from sightlab.cli import main

sys.exit(main())
