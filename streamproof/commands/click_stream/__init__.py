"""The commands of the click stream data flow's first half: files to try it with, and their replay."""
