"""A run's whole life: started, kept, paused, resumed, ended; its test split opened once."""
