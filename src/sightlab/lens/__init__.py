"""Looking into networks: what they are made of, what it costs, and how much of the image each place sees."""
