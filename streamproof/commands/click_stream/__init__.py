"""The commands of the click stream data flow: files to try it with, their replay, and the lake that they end in."""
