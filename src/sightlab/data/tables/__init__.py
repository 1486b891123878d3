"""Text tables as people write them: their encoding, separator, heading and rows, told from the text."""
