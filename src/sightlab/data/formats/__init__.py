"""File formats that hold raw pixels: idx, CSV, npy and npz, MATLAB, HDF5, CIFAR records."""
