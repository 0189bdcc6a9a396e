"""What is measured of trained runs: natural images, attacks, input gradients, pathways."""
