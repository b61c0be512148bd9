"""The tutorial, step by step as a reader would do it, at terminals."""
