"""``python -m cryoetseg.demo``."""
import sys

from cryoetseg.core.cli import exit_code_of
from cryoetseg.demo.command import app

if __name__ == "__main__":
    sys.exit(exit_code_of(app, sys.argv[1:], "python -m cryoetseg.demo"))
