"""The steps that bring a database of an older sightlab up to date."""
