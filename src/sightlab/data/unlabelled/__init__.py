"""Unlabelled pictures for prediction: files, archives, lists, tables, arrays and Python objects."""
