"""Where many files lie: a folder, a zip or a tar, and archives inside any of them. Nothing is unpacked to disk for good."""
