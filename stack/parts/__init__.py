"""The Java parts: ``artifacts.py`` gets what ``jgo.lock.toml`` names, by hash; ``java.py`` runs it."""
