"""The ledger of a topic that somebody else filled: ``take.py`` writes it, ``truth.py`` tells its records again."""
