"""Airflow side."""
