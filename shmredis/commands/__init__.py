"""Commands written in Python: one small module per subject."""
