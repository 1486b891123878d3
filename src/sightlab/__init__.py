"""sightlab: a workbench for image classifiers."""
