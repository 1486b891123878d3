"""Names in any script on pictures and charts: the fonts there are, and codes for what no font has.

Charts and contact sheets have a font of their own for Latin, Greek and Cyrillic. Other characters are drawn from the
fonts of the system, shaped by HarfBuzz; a character that none of them has is written as its code, U+4E2D.
"""

from sightlab.fonts.bidi import levels, visual_order
from sightlab.fonts.escapes import clusters, escape_missing
from sightlab.fonts.faces import Face, FontList, in_default_font, installed_fonts
from sightlab.fonts.font_files import font_files, font_folders
from sightlab.fonts.layout import TextLine, layout_text

__all__ = [
    "Face",
    "FontList",
    "TextLine",
    "clusters",
    "escape_missing",
    "font_files",
    "font_folders",
    "in_default_font",
    "installed_fonts",
    "layout_text",
    "levels",
    "visual_order",
]
