"""Pictures without labels, for prediction: files, archives, lists, tables, arrays, and what Python hands over."""
