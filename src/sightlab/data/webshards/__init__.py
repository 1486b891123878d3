"""WebDataset shards: tar files of samples, streamed, never unpacked."""
