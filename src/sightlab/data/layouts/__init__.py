"""The forms in which people bring pictures, one small file each; `table.LAYOUTS` lists them, `decide` chooses one.

What the files share: `claim` what a layout says; `pictures` how files with labels become a claim; `tree`, `doubts`,
`split_words` and `copies` what folders and their names say; `list_source`, `listed`, `list_pairs`, `list_choice` and
their like what texts beside pictures say; `split_files` and `configs` what names of shards say; `known_files`,
`known_classes` and `flat_labels` the public forms' own files; `array_claim` and `pixel_sheets` arrays and tables.
"""
