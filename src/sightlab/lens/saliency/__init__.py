"""Explanations: which pixels of an image a network's answer rests on, and whether that may be believed."""
