"""What one page or one paper needs alone; what two pages use is in the kit, `snnbook.report`."""
