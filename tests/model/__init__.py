"""Each type against a plain Python model, by random sequences of commands with conversions between
encodings and the defragmenter in between."""
