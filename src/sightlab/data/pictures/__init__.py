"""Picture files: decoding one, finding and labelling many in folders, archives, lists and Parquet shards."""
