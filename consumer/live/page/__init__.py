"""The live view as a page: snapshots sent to a browser, which draws them.

Open ``app.py`` first: who may open what, and what a stream sends. ``serving.py`` serves it without Airflow. What runs
in the browser is in ``static/``, its entry is ``live.js``; ``vendored.py`` holds what is from others to its hashes.
"""
