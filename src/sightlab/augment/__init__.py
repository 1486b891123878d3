"""Batched augmentation: pure functions of images and numbers drawn for each sample."""
