"""Names in any script on images and charts: installed fonts, shaping, and escapes for missing characters.

Charts and contact sheets bring their own font for Latin, Greek and Cyrillic. Other characters are drawn with the
system's fonts, shaped by HarfBuzz; a character that none of them has is written as its code, U+4E2D.
"""

from sightlab.fonts.bidi import levels, visual_order
from sightlab.fonts.escapes import clusters, escape_missing
from sightlab.fonts.faces import Face, FontList, in_default_font, installed_fonts
from sightlab.fonts.font_files import font_folders, font_paths
from sightlab.fonts.layout import TextLine, layout_text

__all__ = [
    "Face",
    "FontList",
    "TextLine",
    "clusters",
    "escape_missing",
    "font_folders",
    "font_paths",
    "in_default_font",
    "installed_fonts",
    "layout_text",
    "levels",
    "visual_order",
]
