"""Parquet and Arrow tables of pictures: columns found by type and name, labels as class numbers, pictures streamed."""
