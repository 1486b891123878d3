"""Containers of files: folders, zip and tar archives, and archives inside them, all read in place."""
