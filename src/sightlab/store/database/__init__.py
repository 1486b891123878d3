"""The runs in a database: what is in their folders, in tables that can be searched."""
