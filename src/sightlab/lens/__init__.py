"""Inspecting networks: their layers, what each costs, and its receptive field."""
