"""Decoding picture files."""
