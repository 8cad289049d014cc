"""Where flights come from: the source schedule, the reference tables, and what plays the source's delays."""
