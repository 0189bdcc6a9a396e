"""Written rows to tables: means and 95 % intervals over seeds."""
