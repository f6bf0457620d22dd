"""`python -m scenehf VERB`: what `./launch.sh VERB` runs."""

import sys

from scenehf.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
