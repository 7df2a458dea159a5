"""``python -m streamproof``."""

from streamproof.cli import main

if __name__ == "__main__":
    main()
