"""The data room: reading labelled images from any layout, splitting, caching and batching them."""
