"""A Chinese population with its truth: who the people are, and how the campuses wrote them down.

Everything comes from a seed and the index of a household, so any part is made by itself, in any order, on any
machine, and the population has no end.
"""
