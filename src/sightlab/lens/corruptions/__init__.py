"""The 15 common corruptions of Hendrycks & Dietterich 2019, batched on tensors."""

from sightlab.lens.corruptions.sheet import corruption_sheet
from sightlab.lens.corruptions.table import CORRUPTIONS, SEVERITIES, corrupt

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt", "corruption_sheet"]
