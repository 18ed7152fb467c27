"""Metrics over time after a stimulus, and over volumes of a scanner."""
