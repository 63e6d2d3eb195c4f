"""`python -m kyara COMMAND`."""

from kyara.cli import main

if __name__ == "__main__":
    main()
