"""Recipes: their schema, how they are read and changed, and those that ship (one YAML each)."""
