"""The live view as a page in a browser.

``vendored.py`` holds what is from others to its hashes.
"""
