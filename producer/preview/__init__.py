"""What a run would send, without a broker: open ``preview.py`` first. ``calibrate.py`` says how fast."""
