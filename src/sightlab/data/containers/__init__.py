"""Where many files lie: a folder, a zip, a tar, and archives inside any of them; nothing is unpacked for good."""
