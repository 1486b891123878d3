"""Parts a recipe names: those that ship, those of installed packages, and those in files of the user's own."""
