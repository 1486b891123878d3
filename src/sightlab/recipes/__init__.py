"""Recipes: what one is, how it is read and changed, and those that ship (one YAML each)."""
