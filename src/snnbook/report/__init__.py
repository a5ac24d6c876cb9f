"""Pages from records and printed numbers: the print, the verdicts, tables, figures and the box of a page."""
