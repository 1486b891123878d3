"""Searching recipes: a space of trials, worked off within a budget, chosen from by validation alone."""
