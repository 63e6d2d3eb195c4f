"""`python -m kyara COMMAND`."""

import sys

from kyara.storage.extras import explain_bare

try:
    from kyara.cli import main
except ModuleNotFoundError as error:
    if not (missing := explain_bare(error)):
        raise
    sys.exit(f"kyara: {missing}")

if __name__ == "__main__":
    main()
