"""Data sets whose pixels lie bare in a file: idx, CSV, npz and npy, CIFAR's records."""
