"""WebDataset shards: tar files of samples, streamed through the webdataset library, their pictures never unpacked."""
