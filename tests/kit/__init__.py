"""What tests share: waiting, topics, Kafka, commands, the stack of the session, and how deep to look."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the checkout that the tests are of
