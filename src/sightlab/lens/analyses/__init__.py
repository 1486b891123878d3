"""Analyses: how a network sees, each a function of a subject that gives an AnalysisResult."""
