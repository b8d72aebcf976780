"""`python -m asrbias` is the command line."""

import sys

from asrbias.cli import main

sys.exit(main())
