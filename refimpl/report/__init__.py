"""What all commands share: options, running in units, plots, results, tables and the page."""
