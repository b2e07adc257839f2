"""``python -m clearloop`` is the ``clearloop`` command."""

import sys

from clearloop.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
