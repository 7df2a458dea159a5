"""Benchmarks: each figure is a ratio measured in one run on the same broker. They are not tests."""
