"""Evaluation: protocols, arms, metrics, cached runs, statistics, reports, submissions."""
