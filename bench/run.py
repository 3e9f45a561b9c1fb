"""``bench/run.py [WORK...] [--json] [--list] [--seconds N] [--real]``: see README.md."""

import sys
from pathlib import Path
from runpy import run_module

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    run_module("bench.table", run_name="__main__")
