"""Published studies, rerun with one command each: as published, repaired, and how far from the published figure."""
