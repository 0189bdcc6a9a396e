"""What the studies share: settings, the grid of runs, training, measuring, tables and figures."""
