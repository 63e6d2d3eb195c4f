"""`python -m kyara COMMAND`."""

from kyara.commands import main

if __name__ == "__main__":
    main()
