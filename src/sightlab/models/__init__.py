"""The architectures, one file a family, and the table of their names."""
