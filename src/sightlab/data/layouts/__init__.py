"""The forms in which people bring pictures, one small file each; `table.LAYOUTS` lists them, `decide` chooses one."""
