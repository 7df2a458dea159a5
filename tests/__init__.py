"""The tests, by what they need: unit, integration, faults, e2e; and what they share: kit."""
