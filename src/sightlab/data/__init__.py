"""Pictures with labels, from whatever holds them to batches."""
