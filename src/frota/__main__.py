"""``python -m frota``."""

import sys

from frota.cli.main import main

sys.exit(main())
