"""Mutual recognition (检查检验结果互认): which recent results spare a patient a repeat."""
