"""What scenarios are made of: columns from NumPy to Arrow, weighted draws, identifiers, and chances without state."""
