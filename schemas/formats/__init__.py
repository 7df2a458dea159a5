"""How rows become values and values rows: one folder for each format."""
