"""Metrics: functions that take arrays and return numbers, without models or data sets."""
